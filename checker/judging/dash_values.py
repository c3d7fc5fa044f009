"""Rules about the DASH manifest: what it says of each track."""

import re
from collections.abc import Iterator
from fractions import Fraction

from checker.finding import Finding, Rule, told
from checker.judging.dash import pairs
from checker.manifest import AdaptationSet, whole
from checker.playlist import Entry
from checker.presentation import Presentation

# Channels by ChannelConfiguration (ISO/IEC 23091-3), of those that mean one thing only.
_CHANNELS = "urn:mpeg:mpegB:cicp:ChannelConfiguration"
_CHANNEL_COUNTS = {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 8}
_ROLE, _PURPOSE = "urn:mpeg:dash:role:2011", "urn:tva:metadata:cs:AudioPurposeCS:2007"
_ROLES = {
    "main",
    "alternate",
    "commentary",
    "dub",
    "description",
    "subtitle",
    "caption",
    "forced-subtitle",
    "enhanced-audio-intelligibility",
}
# What a rendition's CHARACTERISTICS are as an AudioPurpose.
_PURPOSES = {
    "public.accessibility.describes-video": "1",
    "public.accessibility.enhances-speech-intelligibility": "2",
}
_CEA_608, _CEA_708 = "urn:scte:dash:cc:cea-608:2015", "urn:scte:dash:cc:cea-708:2015"
_SCHEMES = {
    "AudioChannelConfiguration": {_CHANNELS},
    "Role": {_ROLE},
    "Accessibility": {_PURPOSE, _CEA_608, _CEA_708},
}


def bandwidth(presentation: Presentation) -> Iterator[Finding]:
    """Bandwidth is the measured peak rate of the track; of a file of text the average."""
    if presentation.manifest is None:
        return
    expected = [(representation, track.rates.peak) for _, representation, track in pairs(presentation)]
    lead = presentation.lead
    for _, representation in presentation.manifest.of("text"):
        size = presentation.sizes.get(representation.base)
        if lead and size is not None:
            expected.append((representation, 8 * size / lead.seconds))
    for representation, rate in expected:
        declared = whole(representation.attributes.get("bandwidth"))
        if declared is None or abs(declared - rate) > 1:
            told_of = representation.attributes.get("bandwidth", "missing")
            yield Finding(representation.where, "bandwidth", told_of, told(rate))


def codecs(presentation: Presentation) -> Iterator[Finding]:
    """Codecs is what parameter sets and audio configurations say."""
    for _, representation, track in pairs(presentation):
        declared = representation.attributes.get("codecs", "missing")
        if declared.lower() != track.initialization.codecs.lower():
            yield Finding(representation.where, "codecs", declared, track.initialization.codecs)


def sizes(presentation: Presentation) -> Iterator[Finding]:
    """width, height, sar and frameRate are those of the pictures, and those of the set the largest of them."""
    largest: dict[str, tuple[AdaptationSet, int, int, Fraction]] = {}
    for one, representation, track in pairs(presentation):
        for sps in track.initialization.parameter_sets:
            rate = 1 / track.frame if track.frame else Fraction(0)
            aspect = sps.aspect or Fraction(1)
            expected = {
                "width": str(sps.width),
                "height": str(sps.height),
                "frameRate": _ratio(rate, "/"),
                "sar": f"{aspect.numerator}:{aspect.denominator}",
            }
            for name, value in expected.items():
                if representation.attributes.get(name) != value:
                    declared = representation.attributes.get(name, "missing")
                    yield Finding(representation.where, name, declared, value)
            _, wide, high, fast = largest.get(one.where, (one, 0, 0, Fraction(0)))
            largest[one.where] = one, max(wide, sps.width), max(high, sps.height), max(fast, rate)
    for where, (one, wide, high, fast) in largest.items():
        limits = {"maxWidth": str(wide), "maxHeight": str(high), "maxFrameRate": _ratio(fast, "/")}
        for name, value in limits.items():
            if one.attributes.get(name, value) != value:
                yield Finding(where, name, one.attributes[name], value)


def _ratio(value: Fraction, sign: str) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}{sign}{value.denominator}"


def audio(presentation: Presentation) -> Iterator[Finding]:
    """AudioSamplingRate and channels are what the decoder is told."""
    for one, representation, track in pairs(presentation):
        config = track.initialization.audio
        if config is None:
            continue
        declared = representation.attributes.get("audioSamplingRate", "missing")
        if declared != str(config.sample_rate):
            yield Finding(representation.where, "audioSamplingRate", declared, str(config.sample_rate))
        values = one.values("AudioChannelConfiguration", _CHANNELS)
        values += [each.value for each in representation.properties if each.scheme == _CHANNELS]
        if config.channels and [_CHANNEL_COUNTS.get(value) for value in values] != [config.channels]:
            measured = ",".join(values) or "missing"
            yield Finding(one.where, "AudioChannelConfiguration", measured, f"one for {config.channels} channels")


def renditions(presentation: Presentation) -> Iterator[Finding]:
    """Labels, languages, roles and purposes are those of the renditions in the multivariant playlist."""
    entries = {track.playlist.url: entry for entry, track in presentation.audio()}
    for one, _, track in pairs(presentation):
        entry = entries.get(track.playlist.url)
        if entry:
            purposes = entry.attributes.get("CHARACTERISTICS", "").split(",")
            yield from _named(one, entry, {})
            yield from _unlike(
                one, "Accessibility", _PURPOSE, [_PURPOSES[each] for each in purposes if each in _PURPOSES]
            )
    yield from _texts(presentation)
    for one in presentation.manifest.sets if presentation.manifest else ():
        for each in one.descriptors:
            if each.scheme not in _SCHEMES.get(each.element, {each.scheme}):
                yield Finding(one.where, f"scheme of {each.element}", each.scheme, "one that players know")


def _texts(presentation: Presentation) -> Iterator[Finding]:
    """Each rendition of text is there once, as a file that lies with its segments."""
    if presentation.manifest is None:
        return
    entries = {playlist.url.rpartition("/")[0]: entry for entry, playlist in presentation.subtitles()}
    found = []
    for one, representation in presentation.manifest.of("text"):
        folder = representation.base.rpartition("/")[0]
        found.append(folder)
        if representation.attributes.get("mimeType") != "text/vtt":
            yield Finding(representation.where, "mimeType", representation.attributes.get("mimeType", ""), "text/vtt")
        if folder in entries:
            forced = entries[folder].attributes.get("FORCED") == "YES"
            yield from _named(one, entries[folder], {"forced-subtitle": forced, "subtitle": not forced})
    if sorted(found) != sorted(entries):
        measured = ", ".join(presentation.name(folder) for folder in sorted(found))
        yield Finding("MPD", "text", measured, ", ".join(presentation.name(folder) for folder in sorted(entries)))


def _named(one: AdaptationSet, entry: Entry, roles: dict[str, bool]) -> Iterator[Finding]:
    language = entry.attributes.get("LANGUAGE", "und")
    if one.attributes.get("lang", "und") != language:
        yield Finding(one.where, "lang", one.attributes.get("lang", "missing"), language)
    # A quoted string in a playlist has no way to hold a quote or a line break.
    label = re.sub(r"[\x00-\x1f]", " ", one.label or "").replace('"', "'")
    if label != entry.attributes.get("NAME"):
        yield Finding(one.where, "Label", one.label or "missing", entry.attributes.get("NAME", ""))
    held = one.values("Role", _ROLE)
    for role, expected in {**roles, "main": entry.attributes.get("DEFAULT") == "YES"}.items():
        if (role in held) != expected:
            yield Finding(one.where, f"role {role}", "there" if role in held else "missing", "the other way round")
    for role in set(held) - _ROLES:
        yield Finding(one.where, "role", role, "a role of ISO/IEC 23009-1")


def captions(presentation: Presentation) -> Iterator[Finding]:
    """Closed captions are those that the multivariant playlist declares."""
    channels = [
        entry.attributes.get("INSTREAM-ID", "")
        for entry in presentation.multivariant.renditions
        if entry.attributes.get("TYPE") == "CLOSED-CAPTIONS"
    ]
    lines = ";".join(f"{each}=und" for each in channels if each.startswith("CC"))
    services = ";".join(f"{each[7:]}=lang:und" for each in channels if each.startswith("SERVICE"))
    for one in presentation.manifest.sets if presentation.manifest else ():
        if one.kind == "video":
            yield from _unlike(one, "Accessibility", _CEA_608, [lines] if lines else [])
            yield from _unlike(one, "Accessibility", _CEA_708, [services] if services else [])


def _unlike(one: AdaptationSet, element: str, scheme: str, expected: list[str]) -> Iterator[Finding]:
    measured = one.values(element, scheme)
    if measured != expected:
        yield Finding(one.where, f"{element} ({scheme})", ",".join(measured) or "missing", ",".join(expected) or "none")


RULES = (
    Rule("dash-bandwidth", "must", "bandwidth in the manifest is the measured rate, exactly", bandwidth),
    Rule("dash-codecs", "must", "codecs in the manifest is what parameter sets and audio configurations say", codecs),
    Rule("dash-sizes", "must", "Sizes and frame rates in the manifest are those of the pictures", sizes),
    Rule("dash-audio", "must", "Sampling rates and channels in the manifest are what decoders are told", audio),
    Rule("dash-renditions", "must", "The manifest names renditions as the multivariant playlist does", renditions),
    Rule("dash-captions", "must", "The manifest declares the closed captions of the multivariant playlist", captions),
)

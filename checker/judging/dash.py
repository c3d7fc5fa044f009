"""Rules about the DASH manifest: that it leads to the tracks of the playlists, segment by segment, at the same times."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from checker.finding import Finding, Rule, told
from checker.initialization import InitializationSegment
from checker.judging.timing import MICROSECOND
from checker.keys import is_whole
from checker.manifest import AdaptationSet, Manifest, NotAManifest, Representation, Timed, seconds_of, whole
from checker.presentation import USUAL_TARGET, Presentation, Track

# The one that says how the manifest is made, and one that says more about the media.
_MAIN_PROFILE, _CMAF_PROFILE = "urn:mpeg:dash:profile:isoff-live:2011", "urn:mpeg:dash:profile:cmaf:2019"

Pair = tuple[AdaptationSet, Representation, Track]


def pairs(presentation: Presentation) -> Iterator[Pair]:
    """The representations of video and audio with the tracks whose initialization segment they have, or one beside it."""
    tracks = {track.playlist.initialization: track for track in presentation.all_tracks()}
    folders = {_folder(address): track for address, track in tracks.items()}
    for kind in ("video", "audio"):
        for one, representation in presentation.manifest.of(kind) if presentation.manifest else ():
            address = representation.address("initialization")
            track = tracks.get(address)
            if address in presentation.initializations:
                track = track or folders.get(_folder(address))
            if track:
                yield one, representation, track


def _folder(address: str | None) -> str:
    return (address or "").rpartition("/")[0]


def _initialization(presentation: Presentation, representation: Representation, track: Track) -> InitializationSegment:
    """The one that the manifest leads to."""
    return presentation.initializations.get(representation.address("initialization") or "", track.initialization)


def there(presentation: Presentation) -> Iterator[Finding]:
    """A manifest lies beside the multivariant playlist, unless the segments are encrypted as no DASH player knows it."""
    if any(is_whole(playlist) for playlist in presentation.playlists.values()):
        return
    broken = {url for url, _ in presentation.broken}
    if presentation.manifest is None and presentation.manifest_url not in broken:
        yield Finding(presentation.name(presentation.manifest_url), "DASH manifest", "missing", "there")


def opened(presentation: Presentation) -> Iterator[Finding]:
    """It is static, has one period from the start, and says after which profiles it is made; names in it are unique."""
    manifest = presentation.manifest
    if manifest is None:
        return
    profiles = {one.strip() for one in manifest.attributes.get("profiles", "").split(",")}
    if _MAIN_PROFILE not in profiles or profiles - {_MAIN_PROFILE, _CMAF_PROFILE}:
        yield Finding("MPD", "profiles", ",".join(sorted(profiles)), f"{_MAIN_PROFILE} and perhaps {_CMAF_PROFILE}")
    if manifest.attributes.get("type", "static") != "static":
        yield Finding("MPD", "type", manifest.attributes["type"], "static")
    if len(manifest.periods) != 1:
        yield Finding("MPD", "periods", str(len(manifest.periods)), "1")
    for period in manifest.periods:
        if seconds_of(period.get("start", "PT0S")) != 0:
            yield Finding("Period", "start", period["start"], "PT0S")
    representations = [one.attributes.get("id", "") for each in manifest.sets for one in each.representations]
    for name, count in Counter(representations).items():
        if count > 1 or not name:
            yield Finding("Representation", f"id {name!r}", f"{count} times", "once")
    for name, count in Counter(each.attributes["id"] for each in manifest.sets if "id" in each.attributes).items():
        if count > 1:
            yield Finding("AdaptationSet", f"id {name!r}", f"{count} times", "once")


def tracks_listed(presentation: Presentation) -> Iterator[Finding]:
    """Every track of video and audio is there once, in a set of its kind, and nothing else is."""
    if presentation.manifest is None:
        return
    found = Counter[str]()
    for one, representation, track in pairs(presentation):
        found[track.playlist.url] += 1
        kind = "audio" if track.initialization.is_audio else "video"
        if one.kind != kind:
            yield Finding(representation.where, "kind of its set", one.kind, kind)
        if representation.attributes.get("mimeType") != f"{kind}/mp4":
            yield Finding(
                representation.where, "mimeType", representation.attributes.get("mimeType", ""), f"{kind}/mp4"
            )
    for track in presentation.all_tracks():
        if found[track.playlist.url] != 1:
            where = presentation.name(track.playlist.url)
            yield Finding(where, "representations of it", str(found[track.playlist.url]), "1")
    for one in presentation.manifest.sets:
        if one.kind not in ("video", "audio", "text", "image"):
            yield Finding(one.where, "contentType", one.kind, "video, audio, text or image")
    known = {track.playlist.initialization for track in presentation.all_tracks()}
    folders = {_folder(address) for address in known}
    known |= {address for address in presentation.initializations if _folder(address) in folders}
    for kind in ("video", "audio"):
        for _, representation in presentation.manifest.of(kind):
            address = representation.address("initialization")
            if address not in known:
                yield Finding(representation.where, "initialization", address or "missing", "that of a playlist")


def same_initialization(presentation: Presentation) -> Iterator[Finding]:
    """An initialization segment of its own is that of the playlist but for the edit list, and the manifest makes up for that."""
    for _, representation, track in pairs(presentation):
        own = _initialization(presentation, representation, track)
        if replace(own, edit=track.initialization.edit) != track.initialization:
            where = presentation.name(representation.address("initialization") or "")
            yield Finding(where, "initialization segment", "another one", "that of the playlist but for the edit list")
        template = representation.template
        if template is None:
            continue
        offset, missing = template.attributes.get("presentationTimeOffset", "0"), track.initialization.edit - own.edit
        if whole(offset) != missing * template.timescale:
            expected = told(missing * template.timescale)
            yield Finding(representation.where, "presentationTimeOffset", offset, expected)


def segments_match(presentation: Presentation) -> Iterator[Finding]:
    """Its segments are those of the playlist, each with the start and duration of what the edit list leaves of it."""
    for _, representation, track in pairs(presentation):
        edit = _initialization(presentation, representation, track).edit
        # To be compared, both are scaled to ticks of both.
        ours, theirs = track.timescale, representation.template.timescale if representation.template else 1
        if ours == theirs:
            ours = theirs = 1
        expected = [
            (uri, start * theirs, duration * theirs)
            for uri, (start, duration) in zip(track.playlist.uris, track.presented(edit), strict=True)
        ]
        try:
            found = [(uri, start * ours, duration * ours) for uri, start, duration in representation.segments()]
        except NotAManifest as error:
            yield Finding(representation.where, "segments", str(error), str(len(expected)))
            continue
        if len(found) != len(expected):
            yield Finding(representation.where, "number of segments", str(len(found)), str(len(expected)))
        elif found != expected:
            at = next(number for number, one in enumerate(found) if one != expected[number])
            unit = track.timescale * theirs
            measured, real = (_brief(presentation, one[at], unit) for one in (found, expected))
            yield Finding(representation.where, f"segment {at}", measured, real)


def _brief(presentation: Presentation, segment: Timed, unit: int) -> str:
    uri, start, duration = segment
    return f"{presentation.name(uri)}, {told(Fraction(duration, unit))} s from {told(Fraction(start, unit))} s on"


def durations(presentation: Presentation) -> Iterator[Finding]:
    """It tells the length of the presentation and of the longest segment, and for how long a bandwidth is a mean."""
    manifest, lead = presentation.manifest, presentation.lead
    if manifest is None or lead is None:
        return
    found = [track for _, _, track in pairs(presentation)]
    segments = _sheets(manifest)
    for _, representation, track in pairs(presentation):
        presented = track.presented(_initialization(presentation, representation, track).edit)
        segments.append(Fraction(max(duration for _, duration in presented), track.timescale))
    expected = {"mediaPresentationDuration": lead.seconds}
    if segments:
        expected["maxSegmentDuration"] = max(segments)
    # A bandwidth is a peak over about one target duration, so this much has to be buffered for it to hold.
    expected["minBufferTime"] = Fraction(
        max((one.playlist.target or USUAL_TARGET for one in found), default=USUAL_TARGET)
    )
    for name, seconds in expected.items():
        measured = seconds_of(manifest.attributes.get(name))
        if measured is None or abs(measured - seconds) > MICROSECOND / 2:
            yield Finding("MPD", name, manifest.attributes.get(name, "missing"), f"{told(seconds)} s")


def _sheets(manifest: Manifest) -> list[Fraction]:
    """Seconds that each sheet of pictures for the seek bar stands for."""
    templates = [one.template for _, one in manifest.of("image") if one.template]
    return [Fraction(whole(one.attributes.get("duration")) or 0, one.timescale) for one in templates]


def switchable(presentation: Presentation) -> Iterator[Finding]:
    """Segments are said to be aligned and to begin with a frame that nothing before it is needed for, as they do."""
    for one, _, track in pairs(presentation):
        first = [segment for segment in track.segments if not segment.keys or segment.keys[0].time != segment.start]
        expected = {"segmentAlignment": "true"}
        if track.initialization.is_audio or not first:
            expected["startWithSAP"] = "1"
        for name, value in expected.items():
            if one.attributes.get(name) != value:
                yield Finding(one.where, name, one.attributes.get(name, "missing"), value)


RULES = (
    Rule("millrace-dash", "should", "A DASH manifest lies beside the multivariant playlist", there),
    Rule("dash-mpd", "must", "The manifest is static, of one period, after known profiles; names are unique", opened),
    Rule("dash-tracks", "must", "The manifest has the tracks of the playlists", tracks_listed),
    Rule(
        "dash-initialization",
        "must",
        "Initialization segments of the manifest are those of the playlists, but for edit lists",
        same_initialization,
    ),
    Rule("dash-segments", "must", "The manifest's segments are those of the playlists, at their times", segments_match),
    Rule("dash-durations", "must", "The manifest tells the lengths that are measured", durations),
    Rule(
        "dash-switching", "must", "The manifest says that segments are aligned and start with a key frame", switchable
    ),
)

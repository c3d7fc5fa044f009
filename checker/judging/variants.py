"""Rules about what the multivariant playlist says of the tracks: codecs, sizes, rates."""

from collections.abc import Iterator
from fractions import Fraction

from checker.finding import Finding, Rule, told
from checker.playlist import Entry
from checker.presentation import Presentation, Rates, Track

# FRAME-RATE has three decimals.
_HALF_OF_A_THOUSANDTH = Fraction(1, 2000)


def codecs(presentation: Presentation) -> Iterator[Finding]:
    """CODECS names what the tracks are: the variant itself, and every audio rendition of the group."""
    for entry, track in presentation.variants():
        audio = [other.initialization.codecs for _, other in _group(presentation, entry)]
        yield from _codecs(entry, {track.initialization.codecs, *audio})
    for entry, track in _trick_play(presentation):
        yield from _codecs(entry, {track.initialization.codecs})
    for track in presentation.all_tracks():
        measured, configured = track.initialization.codecs, track.initialization.configured
        if configured not in (None, measured):
            where = presentation.name(track.playlist.initialization or "")
            yield Finding(where, "profile and level of the whole", configured, measured)


def _codecs(entry: Entry, real: set[str]) -> Iterator[Finding]:
    declared = entry.attributes.get("CODECS")
    if declared is not None and sorted(one.strip().lower() for one in declared.split(",")) != sorted(
        one.lower() for one in real
    ):
        yield Finding(entry.where, "CODECS", declared, ",".join(sorted(real)))


def resolution(presentation: Presentation) -> Iterator[Finding]:
    """RESOLUTION is the size of the cropped picture."""
    for entry, track in (*presentation.video(), *_trick_play(presentation)):
        declared = entry.attributes.get("RESOLUTION")
        for sps in track.initialization.parameter_sets:
            if declared is not None and declared != f"{sps.width}x{sps.height}":
                yield Finding(entry.where, "RESOLUTION", declared, f"{sps.width}x{sps.height}")


def frame_rate(presentation: Presentation) -> Iterator[Finding]:
    """FRAME-RATE is that of the samples, rounded to three decimals, and the parameter sets say the same."""
    for entry, track in presentation.video():
        if not track.frame:
            continue
        declared, rate = entry.attributes.get("FRAME-RATE"), 1 / track.frame
        # Its form is for another rule.
        if declared is not None and abs(_number(declared) - rate) > _HALF_OF_A_THOUSANDTH:
            yield Finding(entry.where, "FRAME-RATE", declared, told(rate))
        for sps in track.initialization.parameter_sets:
            if sps.frame_rate and abs(sps.frame_rate / rate - 1) > Fraction(1, 1000):
                yield Finding(entry.where, "rate of the samples", told(rate), told(sps.frame_rate))


def channels(presentation: Presentation) -> Iterator[Finding]:
    """CHANNELS is told, and what the decoder is told."""
    for entry, track in presentation.audio():
        config = track.initialization.audio
        declared = entry.attributes.get("CHANNELS", "")
        if config and config.channels and declared.partition("/")[0] != str(config.channels):
            yield Finding(entry.where, "CHANNELS", declared or "missing", str(config.channels))


def average_near(presentation: Presentation) -> Iterator[Finding]:
    """AVERAGE-BANDWIDTH within 10 % of what is measured."""
    for entry, rates in _rates(presentation):
        yield from _near(entry, "AVERAGE-BANDWIDTH", sum((one.average for one in rates), Fraction(0)))


def peak_near(presentation: Presentation) -> Iterator[Finding]:
    """BANDWIDTH within 10 % of what is measured."""
    for entry, rates in _rates(presentation):
        yield from _near(entry, "BANDWIDTH", sum((one.peak for one in rates), Fraction(0)))


def rates_exact(presentation: Presentation) -> Iterator[Finding]:
    """Both are the measured rates, as RFC 8216bis has it where all segments exist, give or take the rounding of each part."""
    for entry, rates in _rates(presentation):
        peak, average = (sum(parts, Fraction(0)) for parts in zip(*rates, strict=True))
        for name, measured in (("BANDWIDTH", peak), ("AVERAGE-BANDWIDTH", average)):
            declared = _integer(entry, name)
            if declared is not None and abs(declared - measured) > len(rates):
                yield Finding(entry.where, name, str(declared), told(measured))


def peak_covered(presentation: Presentation) -> Iterator[Finding]:
    """BANDWIDTH is at least what is measured of what is there, give or take the rounding of each part."""
    for entry, rates in _rates(presentation):
        peak, declared = sum((one.peak for one in rates), Fraction(0)), _integer(entry, "BANDWIDTH")
        if declared is not None and declared + len(rates) < peak:
            yield Finding(entry.where, "BANDWIDTH", str(declared), f"at least {told(peak)}")


def peak_to_average(presentation: Presentation) -> Iterator[Finding]:
    """A peak of at most twice the average."""
    for entry, track in presentation.variants():
        peak, average = track.rates
        if peak > 2 * average:
            yield Finding(entry.where, "peak bit rate", told(peak), f"at most {told(2 * average)}")


def _rates(presentation: Presentation) -> Iterator[tuple[Entry, list[Rates]]]:
    """Of each variant the rates that add up to its own: of all that is played at the same time, what needs most."""
    for entry, track in presentation.variants():
        audio = [other.rates for _, other in _group(presentation, entry)]
        group = presentation.subtitles(entry.attributes.get("SUBTITLES", ""))
        texts = [presentation.text_rates[playlist.url] for _, playlist in group]
        if presentation.has_video(entry):
            yield entry, [track.rates, *(_most(one) for one in (audio, texts) if one)]
        else:
            # Without video the variant is one of its group.
            yield entry, [_most([track.rates, *audio])]
    for entry, _ in _trick_play(presentation):
        yield entry, [presentation.iframe_rates[entry.uri or ""]]


def _most(group: list[Rates]) -> Rates:
    return Rates(max(one.peak for one in group), max(one.average for one in group))


def _group(presentation: Presentation, variant: Entry) -> Iterator[tuple[Entry, Track]]:
    return presentation.audio(variant.attributes.get("AUDIO", ""))


def _trick_play(presentation: Presentation) -> Iterator[tuple[Entry, Track]]:
    """I-frame variants, with the track out of whose segments they are made."""
    for entry, playlist in presentation.trick_play():
        track = presentation.source_of(playlist)
        if track:
            yield entry, track


def _near(entry: Entry, name: str, measured: Fraction) -> Iterator[Finding]:
    declared = _integer(entry, name)
    if declared is not None and not 9 * declared <= 10 * measured <= 11 * declared:
        yield Finding(entry.where, f"measured against {name}", told(measured), f"{declared} ± 10 %")


def _integer(entry: Entry, name: str) -> int | None:
    text = entry.attributes.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else None


def _number(text: str) -> Fraction:
    """A decimal number; something that fits nothing where it is none."""
    try:
        return Fraction(text)
    except ValueError:
        return Fraction(-1)


RULES = (
    Rule("apple-1.26", "must", "The measured average bit rate is within 10 % of AVERAGE-BANDWIDTH", average_near),
    Rule("apple-1.27", "must", "The measured peak bit rate is within 10 % of BANDWIDTH", peak_near),
    Rule("apple-1.30", "should", "The peak bit rate is at most 200 % of the average", peak_to_average),
    Rule("millrace-bandwidth", "must", "BANDWIDTH and AVERAGE-BANDWIDTH are what is measured, exactly", rates_exact),
    Rule("millrace-codecs", "must", "CODECS is what parameter sets and audio configurations say", codecs),
    Rule("millrace-resolution", "must", "RESOLUTION is the cropped size in the parameter sets", resolution),
    Rule("millrace-frame-rate", "must", "FRAME-RATE is the rate of the samples", frame_rate),
    Rule("millrace-channels", "must", "CHANNELS of an audio rendition is what its decoder is told", channels),
)

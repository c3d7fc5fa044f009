"""Reads a segment of WebVTT as it is written, right or wrong; judging it is for the rules. Pure."""

import re
from dataclasses import dataclass, field
from fractions import Fraction

_TIME = r"(?:(\d{2,}):)?(\d{2}):(\d{2}\.\d{3})"
_TIMING = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}")
_LOCAL = re.compile(rf"LOCAL:{_TIME}")
_MPEG = re.compile(r"MPEGTS:(\d+)")
_MPEG_TICKS = 90_000


@dataclass(frozen=True)
class TextSegment:
    """A segment of text.

    Attributes:
        signed: it begins with ``WEBVTT``.
        shift: seconds by which its clock lies before that of the media, by X-TIMESTAMP-MAP; None where that is missing.
        cues: start and end of each cue, seconds on the segment's own clock.
    """

    signed: bool
    shift: Fraction | None = None
    cues: tuple[tuple[Fraction, Fraction], ...] = field(default=(), repr=False)


def read_text(data: bytes) -> TextSegment:
    """Read a segment."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    head = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    timings = (_TIMING.match(line) for line in text.splitlines())
    found = tuple((_seconds(*one.groups()[:3]), _seconds(*one.groups()[3:])) for one in timings if one)
    return TextSegment(re.match(r"WEBVTT([ \t\r\n]|$)", text) is not None, _shift(head), found)


def _shift(head: str) -> Fraction | None:
    line = next((line for line in head.splitlines() if line.startswith("X-TIMESTAMP-MAP=")), "")
    local, mpeg = _LOCAL.search(line), _MPEG.search(line)
    return Fraction(int(mpeg[1]), _MPEG_TICKS) - _seconds(*local.groups()) if local and mpeg else None


def _seconds(hours: str | None, minutes: str, seconds: str) -> Fraction:
    return int(hours or 0) * 3600 + int(minutes) * 60 + Fraction(seconds)

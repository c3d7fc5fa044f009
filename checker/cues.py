"""Reads WebVTT as it is written, right or wrong; judging it is for the rules. Pure."""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

_TIME = r"(?:([0-9]{2,6}):)?([0-9]{2}):([0-9]{2})\.([0-9]{3})"
_TIMING = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t]+(.*))?")
_LOCAL = re.compile(rf"LOCAL:{_TIME}(?:,|$)")
_MPEG = re.compile(r"MPEGTS:([0-9]{1,15})(?:,|$)")
_MPEG_TICKS = 90_000


class Cue(NamedTuple):
    """A cue: from ``start`` until ``end``, milliseconds on the file's own clock, and what it says, line breaks included."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class WebVtt:
    """A file, or a segment of text.

    Attributes:
        signed: it begins with ``WEBVTT``.
        shift: seconds by which its clock lies before that of the media, by X-TIMESTAMP-MAP; None where that is missing.
        cues: in the order in which they stand there.
    """

    signed: bool
    shift: Fraction | None = None
    cues: tuple[Cue, ...] = field(default=(), repr=False)


def read_webvtt(data: bytes) -> WebVtt:
    """Read a file or a segment."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    head, *blocks = re.split(r"\n\n+", text.strip("\n"))
    return WebVtt(
        signed=re.match(r"WEBVTT(?:[ \t\n]|$)", head) is not None,
        shift=_shift(head),
        cues=tuple(cue for block in blocks if (cue := _cue(block.split("\n")))),
    )


def _cue(lines: list[str]) -> Cue | None:
    """The cue of a block; None where it is none, but a comment or a style."""
    for number, line in enumerate(lines[:2]):
        # The first line may be the cue's name.
        found = _TIMING.fullmatch(line)
        if found:
            groups = found.groups()
            return Cue(_milliseconds(groups[:4]), _milliseconds(groups[4:8]), "\n".join(lines[number + 1 :]))
    return None


def _shift(head: str) -> Fraction | None:
    line = next((line for line in head.split("\n") if line.startswith("X-TIMESTAMP-MAP=")), "")
    local, mpeg = _LOCAL.search(line), _MPEG.search(line)
    if not local or not mpeg:
        return None
    return Fraction(int(mpeg[1]), _MPEG_TICKS) - Fraction(_milliseconds(local.groups()), 1000)


def _milliseconds(parts: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, rest = (int(part or 0) for part in parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest

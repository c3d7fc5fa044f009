"""From the WebVTT file that ffmpeg writes to a track of WebVTT: on the output's clock, whole and in segments. Pure."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor

from shared.media.plan import Plan

CLOCK_SHIFT = 86_400
"""Seconds by which ffmpeg is told to write all cues later than they are, since a file cannot hold times before zero."""

# What a player needs to put a segment's cues on the clock of the media (RFC 8216, 3.5). Ours begins at zero.
_TIMESTAMP_MAP = "X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0"
_TIME = r"(?:(\d{2,}):)?(\d{2}):(\d{2})\.(\d{3})"
_TIMING = re.compile(rf"{_TIME} --> {_TIME}(?:\s.*)?")
# The tags that ffmpeg writes; any other angle bracket stands for itself.
_TAG = re.compile(r"(</?[biu]>)")
# Commands of ASS to draw with the pen ("m 0 0 l 100 0"), which are left over where there was a drawing.
_DRAWING = re.compile(r"m -?[\d.]+ -?[\d.]+( [mnlbspc]| -?[\d.]+)*")
# Milliseconds for which a text is shown that has no end.
_ENDLESS = 5000


@dataclass(frozen=True)
class Cue:
    """A piece of text; from ``start`` until ``end`` in milliseconds, on the output's clock."""

    start: int
    end: int
    text: str


def read_cues(file: str, plan: Plan) -> list[Cue]:
    """The cues of a file that ffmpeg wrote with its clock shifted, by their start.

    They come out on the output's clock. What lies outside of the output is left out, and cut off at its ends.

    Raises:
        ValueError: it is no WebVTT file.
    """
    lines = file.removeprefix("\ufeff").replace("\r", "\n").split("\n")
    if not lines[0].startswith("WEBVTT"):
        raise ValueError("no WebVTT file")
    origin = CLOCK_SHIFT * 1000 + round(plan.origin * 1000)
    end = int(plan.duration * 1000)
    cues = []
    for start, stop, text in _with_ends(sorted(_blocks(lines), key=lambda block: block[:2])):
        cue = Cue(max(0, start - origin), min(end, stop - origin), text)
        if cue.start < cue.end and text:
            cues.append(cue)
    return cues


def whole_file(cues: Iterable[Cue]) -> str:
    """A file with all cues."""
    return "WEBVTT\n" + "".join(map(_block, cues))


def segment_files(cues: Sequence[Cue], plan: Plan) -> list[str]:
    """A file for each segment of the video, with every cue that can be seen in it: one over a boundary is in several."""
    length = 1000 * plan.segment_frames / plan.frame_rate
    seen: list[list[Cue]] = [[] for _ in range(plan.segments)]
    last = plan.segments - 1
    for cue in cues:
        for number in range(min(floor(cue.start / length), last), min(ceil(cue.end / length) - 1, last) + 1):
            seen[number].append(cue)
    return [f"WEBVTT\n{_TIMESTAMP_MAP}\n" + "".join(map(_block, one)) for one in seen]


def _blocks(lines: Sequence[str]) -> Iterable[tuple[int, int, str]]:
    """Start and end (milliseconds of the file) and text of each cue.

    ffmpeg passes blank lines inside a text on, though a file has to be read as if the cue ended there.
    """
    timing: re.Match[str] | None = None
    text: list[str] = []
    for line in [*lines, "00:00.000 --> 00:00.000"]:
        found = _TIMING.fullmatch(line.strip())
        if found is None:
            text.append(line.strip())
            continue
        if timing:
            yield _milliseconds(timing.groups()[:4]), _milliseconds(timing.groups()[4:]), _clean(text)
        timing, text = found, []


def _with_ends(blocks: Sequence[tuple[int, int, str]]) -> Iterable[tuple[int, int, str]]:
    """The same with an end for those that ffmpeg found none of: the next one's start, or what is long enough to read."""
    starts = [start for start, _, _ in blocks]
    for start, stop, text in blocks:
        if stop > start:
            yield start, stop, text
            continue
        following = bisect_right(starts, start)
        enough = start + _ENDLESS
        yield start, min(starts[following], enough) if following < len(starts) else enough, text


def _milliseconds(parts: Sequence[str | None]) -> int:
    hours, minutes, seconds, rest = (int(part or 0) for part in parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest


def _clean(lines: Iterable[str]) -> str:
    """A text as it may stand in a file: no blank line, no drawing, and what would be markup escaped."""
    return "\n".join(_escaped(line) for line in lines if line and not _DRAWING.fullmatch(line))


def _escaped(line: str) -> str:
    pieces = _TAG.split(line)
    # What was split off stands at odd places.
    return "".join(piece if number % 2 else _plain(piece) for number, piece in enumerate(pieces))


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _block(cue: Cue) -> str:
    return f"\n{_time(cue.start)} --> {_time(cue.end)}\n{cue.text}\n"


def _time(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"

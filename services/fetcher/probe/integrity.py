"""Is the file all there? What the header promises is held against what was found. Pure.

A file that stops short of its own promise is an error, not a short success; one that lacks no picture and no sound, but is
not as it should be, goes on with a warning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from services.fetcher.probe.boxes import BoxLayout
from services.fetcher.probe.packets import NO_TIME, Extent
from services.fetcher.probe.streams import Stream, ratio
from shared.errors import PermanentError
from shared.media.result import JobWarning

NOTHING_INSIDE = "The input has the header of a video, but neither pictures nor sound."
EXPORT_AGAIN = "Export it again, and check that it plays before you send it."

# Formats whose duration stands in a header; that of the others is reckoned from the packets themselves.
_PROMISING = frozenset(
    {"mov", "matroska", "flv", "avi", "asf", "rm", "mxf", "gxf"}
    | {"mp3", "flac", "wav", "aiff", "au", "caf", "ape", "wv", "tta", "dsf"}
)
# What ffmpeg's demuxers say when they run into the end in the middle of a packet (mov.c, matroskadec.c).
_CUT_OFF = ("partial file", "File ended prematurely")
_CUT_SLACK = 0.2
_LEAST_SLACK, _RELATIVE_SLACK, _MOST_SLACK = 1.0, 0.02, 10.0
# Live writers leave all bits set where the length was not known yet.
_UNKNOWN_TICKS = 0xFFFF0000


@dataclass(frozen=True)
class Findings:
    """What was found in the file.

    Attributes:
        extents: of every stream that has packets, by its index; times in ticks of the stream.
        complaints: the last lines that ffprobe wrote while it listed the packets.
        boxes: for ISO base media.
    """

    demuxer: str
    streams: Sequence[Stream]
    duration: float | None
    extents: dict[int, Extent]
    complaints: str
    boxes: BoxLayout | None = None


def check_complete(found: Findings) -> tuple[JobWarning, ...]:
    """Compare promise and content.

    Raises:
        PermanentError: ``input_truncated``.
    """
    cut_off = any(words in found.complaints for words in _CUT_OFF)
    missing = max(_missing_in_all(found), _missing_in_a_stream(found) if cut_off else 0.0)
    slack = _CUT_SLACK if cut_off else _slack(found.duration or 0.0)
    if missing > slack:
        raise PermanentError(
            "input_truncated", f"about {missing:.1f} s of {found.duration or 0:.1f} s are missing at the end"
        )
    if cut_off or (found.boxes and found.boxes.missing_bytes):
        message = "The file ends before its container does, but no video or audio that it declares is missing."
        return (JobWarning(code="source_cut_off", message=message),)
    return ()


def cannot_open(demuxer: str, reason: str, boxes: BoxLayout | None) -> PermanentError:
    """The error for a file that begins like a video but cannot be opened."""
    if boxes and not boxes.header and not boxes.malformed:
        return PermanentError("input_truncated", f"the header (moov) is missing: {reason}")
    return PermanentError("input_damaged", f"{demuxer}: {reason}")


def nothing_to_show(found: Findings, video: Stream) -> PermanentError:
    """The error for a file whose video stream has no pictures at all."""
    if (found.duration or 0) > 0 and _missing_in_all(found) > 0:
        return PermanentError("input_truncated", "the file has a header, but no pictures")
    if any(extent.count for extent in found.extents.values()):
        cause = "The input has a video stream, but it contains no frames."
        return PermanentError("input_no_video_stream", "no packets in the video stream", cause=cause)
    return PermanentError(
        "input_not_video", f"no packets; codec {video.get('codec_name')}", cause=NOTHING_INSIDE, remedy=EXPORT_AGAIN
    )


def _slack(duration: float) -> float:
    return min(max(_LEAST_SLACK, _RELATIVE_SLACK * duration), _MOST_SLACK)


def _missing_in_all(found: Findings) -> float:
    """Seconds that the file as a whole lacks."""
    if found.demuxer not in _PROMISING or not found.duration or _is_unknown(found):
        return 0.0
    starts, ends = [], [0.0]
    for stream in found.streams:
        extent, time_base = found.extents.get(stream["index"]), ratio(stream.get("time_base"))
        if extent and time_base and extent.start != NO_TIME:
            starts.append(float(extent.start * time_base))
            ends.append(float(extent.end * time_base))
    last = max(ends)
    return found.duration - max(last, last - min(starts, default=0.0))


def _missing_in_a_stream(found: Findings) -> float:
    """Seconds that the stream lacks most which was cut most, where each stream says how long it is."""
    worst = 0.0
    for stream in found.streams:
        time_base = ratio(stream.get("time_base"))
        if stream.get("codec_type") not in ("audio", "video") or not time_base or "duration_ts" not in stream:
            continue
        extent = found.extents.get(stream["index"], Extent())
        length = 0 if extent.start == NO_TIME else extent.end - extent.start
        worst = max(worst, float((int(stream["duration_ts"]) - length) * time_base))
    return worst


def _is_unknown(found: Findings) -> bool:
    """Whether the promised length is the mark of a writer that did not know it."""
    bases = [base for stream in found.streams if (base := ratio(stream.get("time_base")))]
    if not (found.boxes and found.boxes.fragmented):
        return False
    longest = Fraction(found.duration or 0).limit_denominator(1_000_000)
    return any(longest / base >= _UNKNOWN_TICKS for base in bases)

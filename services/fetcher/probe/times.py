"""A time for every frame, also where the file has none for some of them, or for any. Pure."""

from array import array
from bisect import bisect_left
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from statistics import median

from services.fetcher.probe.packets import NO_TIME, VideoPackets, gaps

_FEW = 0.05


@dataclass(frozen=True)
class Hints:
    """What is known besides the packets.

    Attributes:
        time_base: seconds per tick.
        rate: frames per second as the container claims, or None.
        decoded: time stamps (ticks) of the first decoded frames, None where the decoder had none either.
        undecoded: how many packets at the beginning no frame comes out of.
    """

    time_base: Fraction
    rate: Fraction | None = None
    decoded: tuple[int | None, ...] = ()
    undecoded: int = 0


def presentation_times(packets: VideoPackets, hints: Hints) -> tuple["array[int]", bool]:
    """A presentation time for each packet in the file's order, and whether all of them are written in the file."""
    missing = packets.pts.count(NO_TIME)
    if not missing:
        return array("q", packets.pts), True
    packets = replace(packets, dts=_decoding_times(packets, hints))
    if all(dts == NO_TIME for dts in packets.dts):
        return _shifted(_counted(packets, hints), hints), False
    if missing <= _FEW * len(packets):
        return _left_over(packets) or _delayed(packets), False
    # Frames leave the decoder in order, one for each packet: the sorted decoding times are theirs but for a delay.
    return _shifted(packets.dts, hints), False


def _decoding_times(packets: VideoPackets, hints: Hints) -> "array[int]":
    """The decoding times, where there are any, with the missing ones filled in: after the one before, or before the next."""
    known = next((number for number, dts in enumerate(packets.dts) if dts != NO_TIME), None)
    if known is None or NO_TIME not in packets.dts:
        return packets.dts
    usual = round(1 / ((hints.rate or Fraction(25)) * hints.time_base))
    filled = array("q", packets.dts)
    for number in range(known - 1, -1, -1):
        filled[number] = filled[number + 1] - (packets.duration[number] or usual)
    for number in range(known + 1, len(filled)):
        if filled[number] == NO_TIME:
            filled[number] = filled[number - 1] + (packets.duration[number - 1] or usual)
    return filled


def nth(times: "array[int]", number: int) -> int:
    """The time of the frame that is shown after so many others."""
    return sorted(times)[min(number, len(times) - 1)]


def _left_over(packets: VideoPackets) -> "array[int] | None":
    """The written times, and for the packets without one those that are left over of the decoding times.

    At a constant rate the two are the same but for a delay. None where that does not come out even.
    """
    known = sorted(pts for pts in packets.pts if pts != NO_TIME)
    usual = int(median(gaps(array("q", known)))) if len(known) > 1 else 0
    if usual <= 0:
        return None
    delay = known[0] - min(packets.dts)
    free = [dts + delay for dts in sorted(packets.dts) if _distance(known, dts + delay) * 2 > usual]
    if len(free) != packets.pts.count(NO_TIME):
        return None
    left = iter(free)
    return array("q", (next(left) if pts == NO_TIME else pts for pts in packets.pts))


def _distance(values: list[int], value: int) -> int:
    """To the nearest of ascending values."""
    place = bisect_left(values, value)
    return min(abs(near - value) for near in values[max(0, place - 1) : place + 1])


def _delayed(packets: VideoPackets) -> "array[int]":
    """The written times, and for the packets without one the decoding time with the usual delay."""
    pairs = list(zip(packets.pts, packets.dts, strict=True))
    delay = int(median(pts - dts for pts, dts in pairs if pts != NO_TIME))
    return array("q", (dts + delay if pts == NO_TIME else pts for pts, dts in pairs))


def _counted(packets: VideoPackets, hints: Hints) -> "array[int]":
    """Times of a bare stream, which has none: each frame begins where the one before ends."""
    if 0 not in packets.duration:
        # These are the stream's own, where it tells any. Its rate as the demuxer has it is only that one's default.
        return array("q", accumulate(packets.duration[:-1], initial=0))
    step = 1 / ((hints.rate or Fraction(25)) * hints.time_base)
    return array("q", (round(number * step) for number in range(len(packets))))


def _shifted(times: "array[int]", hints: Hints) -> "array[int]":
    """The times moved so that the first frame that comes out of the decoder is where the decoder has it.

    It begins to count at zero where it finds no time either.
    """
    first = next(iter(hints.decoded), None)
    if first is None and not hints.undecoded:
        return array("q", times)
    offset = (first or 0) - nth(times, hints.undecoded)
    return array("q", (tick + offset for tick in times))

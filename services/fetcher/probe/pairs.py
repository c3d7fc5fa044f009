"""Frames whose two fields lie in packets of their own, of which only the first has a time, or neither. Pure."""

from array import array
from collections.abc import Sequence

from services.fetcher.probe.packets import KEY, NO_TIME, VideoPackets

_LEAST_SHARE, _SLACK = 0.1, 2


def join_pairs(packets: VideoPackets, decoded: Sequence[int | None], undecoded: int) -> VideoPackets:
    """The same with a packet for each frame, where frames are fewer than packets; else ``packets`` itself.

    What comes out of the decoder decides: a frame for each time, and none for the packets without.

    Args:
        decoded: time stamps (ticks) of the first decoded frames, None where the decoder had none either.
        undecoded: how many of the packets that went in gave no frame.
    """
    missing = packets.pts.count(NO_TIME)
    if missing == len(packets):
        return _joined(packets, _every_other(packets)) if _is_bare_pairs(packets, decoded, undecoded) else packets
    if missing < _LEAST_SHARE * len(packets) or not _is_one_for_each_time(packets, decoded):
        return packets
    return _joined(packets, bytearray(pts == NO_TIME for pts in packets.pts))


def _is_one_for_each_time(packets: VideoPackets, decoded: Sequence[int | None]) -> bool:
    stamps = {tick for tick in decoded if tick is not None}
    if len(stamps) < len(decoded) or len(stamps) <= _SLACK:
        return False
    first, last = min(stamps), max(stamps)
    written = {pts for pts in packets.pts if pts != NO_TIME and first <= pts <= last}
    return written == stamps


def _is_bare_pairs(packets: VideoPackets, decoded: Sequence[int | None], undecoded: int) -> bool:
    """Whether about half as many frames come out as packets go in, from the first key frame on."""
    cut = max(packets.flags.find(KEY), 0)
    return len(decoded) > _SLACK and abs(undecoded - cut - len(decoded)) <= _SLACK


def _every_other(packets: VideoPackets) -> bytearray:
    first = max(packets.flags.find(KEY), 0) % 2
    return bytearray((number - first) % 2 for number in range(len(packets)))


def _joined(packets: VideoPackets, second: bytearray) -> VideoPackets:
    """Each packet that is a second field, taken into the one before; one without a packet before it is left out."""
    frames = VideoPackets(array("q"), array("q"), array("q"), bytearray())
    rows = zip(packets.pts, packets.dts, packets.duration, packets.flags, second, strict=True)
    for pts, dts, duration, flags, is_second in rows:
        if not is_second:
            frames.pts.append(pts)
            frames.dts.append(dts)
            frames.duration.append(duration)
            frames.flags.append(flags)
        elif len(frames):
            frames.duration[-1] += duration
            frames.flags[-1] |= flags & KEY
    return frames

"""From packets to the time line of what is shown: frames in order, key frames, rate and end. Pure."""

from array import array
from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import median

from services.fetcher.probe.index import VideoIndex
from services.fetcher.probe.packets import DISCARD, EMPTY, KEY, NO_TIME, VideoPackets, gaps
from services.fetcher.probe.pairs import join_pairs
from services.fetcher.probe.rate import frame_rate
from services.fetcher.probe.times import Hints, nth, presentation_times

# Formats whose clock may jump, where broadcasts were joined or a recorder was restarted; ffmpeg's own bound for a jump.
DISCONTINUOUS = frozenset({"mpegts", "mpeg"})
JUMP_SECONDS, _BACK_SECONDS = 10, Fraction(1, 10)


@dataclass(frozen=True)
class Claims:
    """What container and decoder say of a stream, to be held against its packets.

    Attributes:
        nominal, average: frames per second as ffprobe has them, or None.
        decoded: time stamps (ticks) of the first decoded frames, None where the decoder had none either.
        undecoded: how many packets at the beginning no frame comes out of, where time stamps do not tell.
        interlaced: pictures are made of two fields.
        declared_end: tick at which the last picture ends by what the header says; None where it does not.
    """

    time_base: Fraction
    demuxer: str
    nominal: Fraction | None = None
    average: Fraction | None = None
    decoded: tuple[int | None, ...] = ()
    undecoded: int = 0
    interlaced: bool = False
    declared_end: int | None = None

    @property
    def rate(self) -> Fraction | None:
        """Frames per second on average, as far as anything is claimed."""
        return self.average or self.nominal


@dataclass(frozen=True)
class Timeline:
    """Frames of a video as they are shown; times in ticks.

    Attributes:
        end_pts: when the last frame ends.
        exact: every frame has a time stamp of its own, written in the file.
        jumps: how many times the clock jumped; the time stamps are those of one clock without the jumps.
        joined: each field had a packet of its own, and two of them were taken together as a frame.
    """

    index: VideoIndex
    end_pts: int
    rate: Fraction
    variable: bool
    exact: bool
    jumps: int
    joined: bool


def make_timeline(packets: VideoPackets, claims: Claims) -> Timeline:
    """Build the time line.

    Raises:
        ValueError: no packet holds anything to show.
    """
    if not packets.shown:
        raise ValueError("no packet holds anything to show")
    count = len(packets)
    packets = join_pairs(packets, claims.decoded, claims.undecoded)
    if len(packets) < count:
        # What gave no frame were second fields, but for what lies before the first key frame.
        claims = replace(claims, undecoded=max(packets.flags.find(KEY), 0))
    times, written = presentation_times(packets, Hints(claims.time_base, claims.rate, claims.decoded, claims.undecoded))
    jumps = _repair(times, packets, claims) if claims.demuxer in DISCONTINUOUS else 0
    flags = packets.flags
    start = None if starts_cleanly(packets) and not claims.undecoded else _first_decodable(times, flags, claims)
    if claims.interlaced:
        times, flags = _join_fields(times, flags, claims)
    shown = (tick for tick, flag in zip(times, flags, strict=True) if not flag & (DISCARD | EMPTY))
    pts = array("q", sorted(tick for tick in shown if start is None or tick >= start))
    distinct = all(gap > 0 for gap in gaps(pts))
    rate, variable = frame_rate(pts, claims.time_base, claims.nominal, claims.average)
    return Timeline(
        index=_index(times, flags, pts),
        end_pts=pts[-1] + _last_duration(packets, pts, times, rate, claims),
        rate=rate,
        variable=variable,
        exact=written and distinct and jumps == 0,
        jumps=jumps,
        joined=len(times) < count,
    )


def starts_cleanly(packets: VideoPackets) -> bool:
    """Whether the first packet is a key frame that nothing is shown before: everything in the stream can be decoded."""
    if not packets.flags or not packets.flags[0] & KEY:
        return False
    following = zip(packets.pts, packets.flags, strict=True)
    first, _ = next(following)
    for pts, flag in following:
        if flag & KEY:
            break
        if pts < first and not flag & EMPTY:
            return False
    return True


def _first_decodable(times: "array[int]", flags: bytearray, claims: Claims) -> int:
    """The earliest frame that comes out of a decoder, where the stream was cut out of a longer one."""
    decoded = [tick for tick in claims.decoded if tick is not None]
    if not decoded and claims.undecoded:
        return nth(times, claims.undecoded)
    keys = [tick for tick, flag in zip(times, flags, strict=True) if flag & KEY]
    return min(decoded or keys[:1] or [min(times)])


def _repair(times: "array[int]", packets: VideoPackets, claims: Claims) -> int:
    """Take jumps of the clock out of ``times``, in place; returns how many there were."""
    clock = packets.dts if NO_TIME not in packets.dts else times
    far, back = JUMP_SECONDS / claims.time_base, _BACK_SECONDS / claims.time_base
    steps = [step for step in gaps(clock) if 0 < step < far]
    usual = int(median(steps)) if steps else 1
    offset = jumps = 0
    before = clock[0]
    for number in range(1, len(times)):
        step = clock[number] - before
        before = clock[number]
        if step > far or step < -back:
            offset += usual - step
            jumps += 1
        times[number] += offset
    return jumps


def _join_fields(times: "array[int]", flags: bytearray, claims: Claims) -> tuple["array[int]", bytearray]:
    """Where each field has a packet of its own, make the two of a frame one; they follow each other in the file."""
    period = _frame_period(claims)
    spread = sorted(gap for gap in gaps(array("q", sorted(times))) if gap > 0)
    if not period or not spread or not 0.4 * period < spread[len(spread) // 2] < 0.6 * period:
        return times, flags
    joined, joined_flags = array("q"), bytearray()
    number = 0
    while number < len(times):
        pair = number + 1 < len(times) and abs(times[number + 1] - times[number]) < 0.75 * period
        last = number + 1 if pair else number
        joined.append(min(times[number], times[last]))
        joined_flags.append(flags[number] | (flags[last] & KEY))
        number = last + 1
    return joined, joined_flags


def _frame_period(claims: Claims) -> float:
    """Ticks from one whole frame to the next, 0 where that cannot be told."""
    decoded = [tick for tick in claims.decoded if tick is not None]
    if len(decoded) > 2:
        return float(median(gaps(array("q", decoded))))
    if claims.average and claims.nominal == 2 * claims.average:
        return float(1 / (claims.average * claims.time_base))
    return 0.0


def _index(times: "array[int]", flags: bytearray, pts: "array[int]") -> VideoIndex:
    keys: list[tuple[int, bool]] = []
    for tick, flag in zip(times, flags, strict=True):
        if flag & KEY:
            keys.append((tick, False))
        elif keys and tick < keys[-1][0] and not flag & EMPTY:
            keys[-1] = (keys[-1][0], True)
    keys.sort()
    return VideoIndex(pts, array("q", (tick for tick, _ in keys)), tuple(leading for _, leading in keys))


def _last_duration(
    packets: VideoPackets, pts: "array[int]", times: "array[int]", rate: Fraction, claims: Claims
) -> int:
    """Ticks that the last frame is shown for: as written, else like its neighbours."""
    usual = max(1, round(1 / (rate * claims.time_base)))
    written = 0
    if len(times) == len(packets):
        last = max(range(len(times)), key=lambda number: (not packets.flags[number] & (DISCARD | EMPTY), times[number]))
        written = packets.duration[last]
    # Some muxers write the distance in some other unit. A last frame of many times the others' length is only meant where
    # the header is as long, or the others are long themselves.
    if claims.declared_end is not None and usual < written <= claims.declared_end + usual - pts[-1]:
        return written
    longest = max(gaps(pts), default=usual)
    return written if usual / 2 < written <= max(10 * usual, 2 * longest) else usual

"""The packets of a file as ffprobe lists them, one line each: ``stream,pts,dts,duration,size,pos,flags,side data…``."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from services.fetcher.probe.places import Places

NO_TIME = -(2**63)
"""Stands where a packet has no time stamp."""

ENTRIES = (
    "packet=stream_index,pts,dts,duration,size,pos,flags:packet_side_data=side_data_type,skip_samples,discard_padding"
)
NO_STREAM = -1
"""Stands for the chosen video stream where there is none."""

_ENCRYPTED, _SKIPPED = "Encryption info", "Skip Samples"
KEY, DISCARD, CORRUPT, EMPTY = 1, 2, 4, 8


@dataclass
class VideoPackets:
    """Packets of one video stream in the file's order; times in ticks of the stream's time base.

    ``flags`` has for each packet the sum of :data:`KEY`, :data:`DISCARD` (decoded but never shown, as before an edit list's
    beginning), :data:`CORRUPT` and :data:`EMPTY` (it only says that the last picture stays).
    """

    pts: "array[int]" = field(default_factory=lambda: array("q"))
    dts: "array[int]" = field(default_factory=lambda: array("q"))
    duration: "array[int]" = field(default_factory=lambda: array("q"))
    flags: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self.flags)

    @property
    def shown(self) -> int:
        """How many of them hold something to show."""
        return self.shown_of(len(self))

    def shown_of(self, count: int) -> int:
        """How many of the first ``count`` hold something to show."""
        return sum(not flag & (DISCARD | EMPTY) for flag in self.flags[:count])

    @property
    def hidden_first(self) -> int:
        """How many at the beginning are decoded but never shown."""
        return next((number for number, flag in enumerate(self.flags) if not flag & DISCARD), 0)


@dataclass
class Extent:
    """What is known of a stream that is no video: its packets' number, and its time in ticks.

    ``start`` and ``end`` are :data:`NO_TIME` where no packet has a time; ``sum`` adds up the durations. ``padding`` is how
    many samples at the end of the last packet are no sound, but only fill it up. ``jitter`` is by how much at most a packet
    begins before or after the one before it ends; ``gap`` is the longest time without a packet, and ``longest`` the longest
    time that one lasts.
    """

    count: int = 0
    start: int = NO_TIME
    end: int = NO_TIME
    sum: int = 0
    padding: int = 0
    jitter: int = 0
    gap: int = 0
    longest: int = 0
    _next: int = NO_TIME

    def add(self, time: int, duration: int, padding: int = 0) -> None:
        """Take one packet in."""
        self.count += 1
        self.sum += duration
        self.padding = padding
        self.longest = max(self.longest, duration)
        if time == NO_TIME:
            return
        if self.start != NO_TIME:
            self.gap = max(self.gap, time - self.end)
        self.start = time if self.start == NO_TIME else min(self.start, time)
        self.end = max(self.end, time + duration)
        if self._next != NO_TIME:
            self.jitter = max(self.jitter, abs(time - self._next))
        self._next = time + duration


@dataclass
class PacketTable:
    """What is known of all packets.

    Attributes:
        video: those of the chosen video stream. others: the extents of all other streams by index.
        encrypted: indexes of streams that are. places: where packets lie in the file.
    """

    video: VideoPackets
    others: dict[int, Extent]
    encrypted: frozenset[int] = frozenset()
    places: Places = field(default_factory=Places)

    def extent(self, stream: int) -> Extent:
        """The extent of a stream, an empty one if it has no packets."""
        return self.others.get(stream, Extent())


def read_packets(lines: Iterable[str], video_stream: int) -> PacketTable:
    """Read ffprobe's list. Lines that are cut off (the last one, when ffprobe was stopped) are left out."""
    video, others = VideoPackets(), dict[int, Extent]()
    wanted, encrypted, places = str(video_stream), set[int](), Places()
    for line in lines:
        cells = line.rstrip("\n").split(",")
        if len(cells) < 7:
            continue
        stream, pts, dts, duration, size, place, flags = cells[:7]
        if _ENCRYPTED in cells[7:]:
            encrypted.add(int(stream))
        places.add(place, size, _time(pts) if stream == wanted else None)
        if stream == wanted:
            video.pts.append(_time(pts))
            video.dts.append(_time(dts))
            video.duration.append(_length(duration))
            video.flags.append(_flags(flags, size))
        elif "D" not in flags:
            time = _time(pts)
            extent = others.setdefault(int(stream), Extent())
            extent.add(_time(dts) if time == NO_TIME else time, _length(duration), _padding(cells[7:]))
    return PacketTable(video, others, frozenset(encrypted), places)


def gaps(values: "array[int]") -> list[int]:
    """Differences of neighbours."""
    return [late - early for early, late in pairwise(values)]


def _padding(side_data: list[str]) -> int:
    """What stands behind the samples to be skipped at the beginning."""
    place = side_data.index(_SKIPPED) + 2 if _SKIPPED in side_data else len(side_data)
    return int(side_data[place]) if place < len(side_data) and side_data[place].isdecimal() else 0


def _time(text: str) -> int:
    return NO_TIME if text == "N/A" else int(text)


def _length(text: str) -> int:
    return 0 if text == "N/A" else int(text)


def _flags(text: str, size: str) -> int:
    flags = (KEY if "K" in text else 0) | (DISCARD if "D" in text else 0) | (CORRUPT if "C" in text else 0)
    return flags | (EMPTY if size == "0" else 0)

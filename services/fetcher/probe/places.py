"""Where the packets of a file lie in it: what somebody must have of a file who does not want to have all of it."""

from array import array
from dataclasses import dataclass, field

# What ffmpeg reads of a file at the most to know its tracks (``-probesize``, by default 5,000,000 bytes of packets), and more
# for what its buffers take beyond.
_LOOKED_AT = 5_000_000 + 2**20


@dataclass
class Places:
    """Where packets lie, in bytes from the file's beginning.

    Attributes:
        pts: time stamp of each packet of the video, in the order in which they are read.
        begin, end: its first byte, and the one after its last.
        head: end of what a program reads to know the file's tracks.
        tail: the byte after the last packet of all tracks; behind it lie indexes.
        known: no packet hides where it lies.
    """

    pts: "array[int]" = field(default_factory=lambda: array("q"))
    begin: "array[int]" = field(default_factory=lambda: array("q"))
    end: "array[int]" = field(default_factory=lambda: array("q"))
    head: int = 0
    tail: int = 0
    known: bool = True
    _passed: int = 0

    def add(self, place: str, size: str, pts: int | None) -> None:
        """Take a packet in, in the order of reading.

        Args:
            place, size: as ffprobe has them. pts: of the video's packets; None for those of other tracks.
        """
        if not place.isdecimal() or not size.isdecimal():
            self.known = False
            return
        begin, end = int(place), int(place) + int(size)
        if self._passed < _LOOKED_AT:
            self.head = max(self.head, end)
        self._passed += int(size)
        self.tail = max(self.tail, end)
        if pts is not None:
            self.pts.append(pts)
            self.begin.append(begin)
            self.end.append(end)

"""Reads boxes of the ISO base media file format (ISO/IEC 14496-12). Pure.

This is the checker's own reading: ``shared.mp4`` writes the segments that are checked here, so it would agree with its own
mistakes. The library that could stand here, pymp4, rests on a release of construct from 2016, and needs what we need anyway:
someone who knows what the fields mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field


class MalformedMedia(ValueError):
    """The bytes do not mean what they should. The text says what is wrong."""


@dataclass(frozen=True)
class Box:
    """A box: its type, the offset of its first byte in the file, the bytes before its payload, and the payload."""

    kind: str
    offset: int
    opening: int
    payload: memoryview = field(repr=False)

    @property
    def start(self) -> int:
        """Offset of the payload in the file."""
        return self.offset + self.opening

    @property
    def end(self) -> int:
        """Offset in the file behind the box."""
        return self.start + len(self.payload)

    def children(self, skip: int = 0) -> list["Box"]:
        """The boxes inside, behind so many bytes of fields.

        Raises:
            MalformedMedia: they do not fit.
        """
        return list(boxes_of(self.payload[skip:], self.start + skip))

    def child(self, *path: str, skip: int = 0) -> "Box":
        """The first box at a path of types, such as ``mdia``, ``mdhd``.

        Raises:
            MalformedMedia: there is none.
        """
        return first_of(self.children(skip), *path)

    def fields(self) -> "Fields":
        """The payload as a sequence of fields."""
        return Fields(self.payload, f"box {self.kind}")


def boxes_of(data: memoryview, base: int = 0) -> Iterator[Box]:
    """The boxes that follow each other in ``data``, which begins at ``base`` in its file.

    Raises:
        MalformedMedia: one does not fit.
    """
    position = 0
    while position < len(data):
        opening = 8
        if len(data) - position < opening:
            raise MalformedMedia(f"{len(data) - position} bytes at {base + position} are too few for a box")
        size = int.from_bytes(data[position : position + 4])
        kind = bytes(data[position + 4 : position + 8]).decode("latin-1")
        if size == 1:
            opening = 16
            size = int.from_bytes(data[position + 8 : position + 16])
        elif size == 0:
            size = len(data) - position
        if not opening <= size <= len(data) - position:
            raise MalformedMedia(f"box {kind!r} of {size} bytes at {base + position} does not fit")
        yield Box(kind, base + position, opening, data[position + opening : position + size])
        position += size


def first_of(boxes: list[Box], *path: str) -> Box:
    """The first box at a path that begins among ``boxes``.

    Raises:
        MalformedMedia: there is none.
    """
    for box in boxes:
        if box.kind == path[0]:
            return box.child(*path[1:]) if len(path) > 1 else box
    raise MalformedMedia(f"no box {path[0]!r}")


class Fields:
    """Reads big-endian numbers one after the other.

    Args:
        where: what this is, for the text of an error.
    """

    def __init__(self, data: memoryview, where: str) -> None:
        self._data = data
        self._at = 0
        self._where = where

    @property
    def left(self) -> int:
        """Bytes that are left."""
        return len(self._data) - self._at

    def take(self, size: int) -> memoryview:
        """The next bytes.

        Raises:
            MalformedMedia: there are fewer.
        """
        if size > self.left:
            raise MalformedMedia(f"{self._where} is cut short")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.take(size))

    def signed(self, size: int) -> int:
        """A number in two's complement."""
        return int.from_bytes(self.take(size), signed=True)

    def version_and_flags(self) -> tuple[int, int]:
        """What a full box begins with."""
        return self.number(1), self.number(3)

"""The boxes of an ISO base media (MP4, MOV) file: is its header there, is it fragmented, is it all there."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

_KIND = re.compile(rb"[ -~\xa9]{4}")
_MOST_BOXES = 500_000
# Without these there is nothing to show; others may be cut off without harm.
_NEEDED = (b"moov", b"mdat", b"moof")


@dataclass(frozen=True)
class BoxHead:
    """The head of a box.

    Attributes:
        begin, content: where the box and what it holds begin in the file.
        size: of the whole box, as it declares; it may be impossible, or reach beyond the file.
    """

    kind: bytes
    begin: int
    content: int
    size: int


def box_heads(file: BinaryIO, begin: int, end: int) -> Iterator[BoxHead]:
    """The boxes that follow each other between two places of a file. One of an impossible size is the last."""
    while begin + 8 <= end:
        file.seek(begin)
        start = file.read(16)
        if len(start) < 8:
            return
        size, kind = struct.unpack(">I4s", start[:8])
        content = begin + 8
        if size == 1 and len(start) == 16:
            (size,), content = struct.unpack(">Q", start[8:]), begin + 16
        elif size == 0:
            size = end - begin
        yield BoxHead(kind, begin, content, size)
        if size < 8:
            return
        begin += size


@dataclass(frozen=True)
class BoxLayout:
    """What stands at the top level.

    Attributes:
        header: there is a ``moov``. fragmented: samples are in ``moof`` boxes.
        missing_bytes: how far a needed box reaches beyond the end of the file.
        malformed: a box has an impossible size, so that nothing after it can be found.
        files: how many whole ones there are, one after the other.
    """

    header: bool
    fragmented: bool
    missing_bytes: int
    malformed: bool
    files: int = 1


def box_layout(path: Path) -> BoxLayout:
    """Walk over the top level without reading what the boxes hold."""
    length = path.stat().st_size
    header = fragmented = malformed = False
    missing = types = movies = 0
    with path.open("rb") as file:
        for head in islice(box_heads(file, 0, length), _MOST_BOXES):
            if head.size < 8 or not _KIND.fullmatch(head.kind):
                malformed = True
                break
            types += head.kind == b"ftyp"
            movies += head.kind == b"moov"
            header |= head.kind == b"moov"
            fragmented |= head.kind == b"moof"
            if head.kind in _NEEDED:
                missing = max(missing, head.begin + head.size - length)
    return BoxLayout(header, fragmented, missing, malformed, max(1, min(types, movies)))

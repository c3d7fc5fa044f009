"""The outermost boxes of an ISO base media (MP4, MOV) file: is its header there, is it fragmented, is it all there."""

import re
import struct
from dataclasses import dataclass
from pathlib import Path

_KIND = re.compile(rb"[ -~\xa9]{4}")
_MOST_BOXES = 500_000
# Without these there is nothing to show; others may be cut off without harm.
_NEEDED = (b"moov", b"mdat", b"moof")


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
    missing = offset = types = movies = 0
    with path.open("rb") as file:
        for _ in range(_MOST_BOXES):
            file.seek(offset)
            start = file.read(16)
            if len(start) < 8:
                break
            size, kind = struct.unpack(">I4s", start[:8])
            if size == 1 and len(start) == 16:
                (size,) = struct.unpack(">Q", start[8:])
            elif size == 0:
                size = length - offset
            if size < 8 or not _KIND.fullmatch(kind):
                malformed = True
                break
            types += kind == b"ftyp"
            movies += kind == b"moov"
            header |= kind == b"moov"
            fragmented |= kind == b"moof"
            if kind in _NEEDED:
                missing = max(missing, offset + size - length)
            offset += size
    return BoxLayout(header, fragmented, missing, malformed, max(1, min(types, movies)))

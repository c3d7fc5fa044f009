"""AAC in transport streams: does its format change in the middle? Each of its frames has a header that says (ADTS)."""

from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

_HEADER_BYTES = 7


def changes_format(file: Path) -> bool:
    """Whether sample rate or channels are not the same throughout a file of AAC frames with ADTS headers.

    A format counts once two frames in a row have it: a damaged header alone is no change.
    """
    if not file.stat().st_size:
        return False
    with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as data:
        formats, before = set(), None
        for found in _formats(data):
            if found == before:
                formats.add(found)
            before = found
    return len(formats) > 1


def _formats(data: mmap) -> Iterator[tuple[int, int]]:
    """Object type with sample rate, and channels, as ISO/IEC 13818-7 (6.2) packs them, of each frame in turn."""
    place = 0
    while (place := data.find(b"\xff", place)) >= 0 and place + _HEADER_BYTES <= len(data):
        _, second, third, fourth, fifth, sixth, _ = data[place : place + _HEADER_BYTES]
        length = (fourth & 0x03) << 11 | fifth << 3 | sixth >> 5
        if second & 0xF6 != 0xF0 or length < _HEADER_BYTES:
            place += 1
            continue
        # Without the private bit, and of the next byte only the rest of the channels.
        yield third & 0xFD, fourth & 0xC0
        place += length

"""Broadcasts whose two fields of a frame share one time stamp, made of one in which each has its own."""

from collections.abc import Iterator
from pathlib import Path

from tests.support.clips import made, written

PACKET, VIDEO = 188, 256


def field_coded(source: Path, *, loops: int, suffix: str = "ts") -> Path:
    """A capture in which every field is a picture of its own, without the notes (SEI) that say which ones belong together."""
    loop = ("-stream_loop", str(loops - 1), "-i", str(source))
    return made(f"fields.{suffix}", *loop, "-c", "copy", "-bsf:v", "filter_units=remove_types=6")


def without_second_times(file: Path) -> Path:
    """The same transport stream without the time stamp of each second field."""
    data = bytearray(file.read_bytes())
    for _, header in _second_fields(data):
        length = data[header + 8]
        data[header + 7] &= 0x3F
        data[header + 9 : header + 9 + length] = b"\xff" * length
    return written(file.name, bytes(data))


def in_one_unit(file: Path) -> Path:
    """The same transport stream with the two fields of a frame in one packet of its elementary stream."""
    data = bytearray(file.read_bytes())
    for place, header in list(_second_fields(data)):
        size = 9 + data[header + 8]
        data[place + 1] &= ~0x40
        if data[place + 3] & 0x20:
            data[place + 4] += size
            data[header : header + size] = b"\xff" * size
        else:
            data[place + 3] |= 0x20
            data[header : header + size] = bytes([size - 1, 0]) + b"\xff" * (size - 2)
    return written(file.name, bytes(data))


def _second_fields(data: bytearray) -> Iterator[tuple[int, int]]:
    """Of each second unit of the video: where its transport packet begins, and where its header."""
    number = 0
    for place in range(0, len(data), PACKET):
        pid = (data[place + 1] & 0x1F) << 8 | data[place + 2]
        if pid == VIDEO and data[place + 1] & 0x40:
            if number % 2:
                yield place, place + 4 + (1 + data[place + 4] if data[place + 3] & 0x20 else 0)
            number += 1

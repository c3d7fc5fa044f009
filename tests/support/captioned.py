"""Clips with closed captions: CEA-608 byte pairs, each unlike all others, in the pictures' SEI (ATSC A/53, part 4)."""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

from tests.support import clips

Triplet = tuple[int, int, int]
"""The kind (0 and 1: first and second field of CEA-608; 2 and 3: CEA-708), and two bytes."""

_HEAD = bytes.fromhex("b5003147413934") + b"\x03"


def pair(number: int, *, field: int = 0) -> Triplet:
    """Two printable characters that stand for a number below 9216, with odd parity."""
    return field, odd(0x20 + number // 96), odd(0x20 + number % 96)


def number_of(triplet: Triplet) -> int:
    """The number that a pair stands for."""
    return ((triplet[1] & 0x7F) - 0x20) * 96 + (triplet[2] & 0x7F) - 0x20


def sei(triplets: Sequence[Triplet]) -> bytes:
    """A NAL unit with these captions."""
    body = bytearray(_HEAD) + bytes((0x40 | len(triplets), 0xFF))
    for kind, first, second in triplets:
        body += bytes((0xFC | kind, first, second))
    body += b"\xff"
    size = b"\xff" * (len(body) // 255) + bytes([len(body) % 255])
    # No three zeros may look like a start code.
    return b"\x06" + re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", b"\x04" + size + bytes(body) + b"\x80")


def captioned(
    rate: str, seconds: float, triplets: Callable[[int], Sequence[Triplet]], *, interlaced: bool = False
) -> Path:
    """A numbered clip without sound whose pictures carry captions.

    Args:
        rate: pictures per second. triplets: those of a picture, by its number.
        interlaced: every picture is two fields, the top one first.
    """
    # Without B-frames: pictures lie in the order in which they are shown.
    encoder = clips.x264(f"bframes=0:keyint=48{':tff=1' if interlaced else ''}")
    plain = clips.numbered(
        str(2 * Fraction(rate)) if interlaced else rate,
        seconds=seconds,
        sound_seconds=0,
        picture="tinterlace=interleave_top,fieldorder=tff" if interlaced else "null",
        encoder=(*encoder, "-a53cc", "0"),
    )
    stream = clips.made("plain.h264", "-i", str(plain), "-c", "copy", "-bsf:v", "h264_mp4toannexb").read_bytes()
    starts = [match.start() for match in re.finditer(rb"\0?\0\0\x01", stream)]
    out, shown = bytearray(), 0
    for start, end in zip(starts, [*starts[1:], len(stream)], strict=True):
        unit = stream[start:end]
        if unit[unit.index(1) + 1] & 0x1F in (1, 5):
            found = triplets(shown)
            out += b"\0\0\0\1" + sei(found) if found else b""
            shown += 1
        out += unit
    raw = clips.written("captioned.h264", bytes(out))
    return clips.made("captioned.mp4", "-r", rate, "-i", str(raw), "-c", "copy")


def odd(byte: int) -> int:
    """Seven bits with odd parity."""
    return byte | (0 if byte.bit_count() % 2 else 0x80)

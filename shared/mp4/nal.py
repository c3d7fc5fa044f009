"""NAL units in the samples of an MP4 file (ISO/IEC 14496-15): each behind its length. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class NalSyntax:
    """How a codec tells its NAL units apart.

    Attributes:
        shift, mask: of the first byte, which has the type. header: bytes before the payload.
        slices: types that hold the picture itself. sei: the type of supplemental information before it.
        random_access: types of slices that decoding can begin with, so that nothing after them refers to what was before.
    """

    shift: int
    mask: int
    header: int
    slices: frozenset[int]
    sei: int
    random_access: frozenset[int]


AVC = NalSyntax(shift=0, mask=0x1F, header=1, slices=frozenset(range(1, 6)), sei=6, random_access=frozenset((5,)))
"""H.264 (table 7-1): of key frames only IDR pictures are random access points here, not those with a recovery point."""


def units(sample: bytes | memoryview, syntax: NalSyntax, length_size: int = 4) -> Iterator[tuple[int, bytes]]:
    """Type and payload of each NAL unit up to the first slice, of which only the type is given.

    Args:
        length_size: bytes of each length.
    """
    position = 0
    while position + length_size < len(sample):
        size = int.from_bytes(sample[position : position + length_size], "big")
        position += length_size
        kind = sample[position] >> syntax.shift & syntax.mask
        if kind in syntax.slices:
            yield kind, b""
            return
        yield kind, bytes(sample[position + syntax.header : position + size])
        position += size


def is_random_access(sample: bytes | memoryview, syntax: NalSyntax) -> bool:
    """Whether decoding can begin with a picture."""
    return any(kind in syntax.random_access for kind, _ in units(sample, syntax))

"""The sequence parameter set of H.264 (ITU-T H.264, 7.3.2.1.1 and annex E): what a decoder is told of the picture. Pure."""

from dataclasses import dataclass
from fractions import Fraction

from checker.bits import Bits

_HIGH_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
# Table E-1: sample aspect ratios by indicator; 255 is followed by the ratio itself.
_ASPECTS = (
    (0, 1),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
)


@dataclass(frozen=True, kw_only=True)
class Sps:
    """What a sequence parameter set says.

    Attributes:
        profile, constraints, level: its first three bytes, as in ``avc1.PPCCLL``.
        chroma: 1 is 4:2:0. depth: bits of luma. width, height: pixels, cropped. progressive: frames only.
        aspect: of a sample; None where it is not told. full_range: None where not told.
        colour: primaries, transfer and matrix (ITU-T H.273); None where not told.
        frame_rate: frames per second; None where not told.
    """

    profile: int
    constraints: int
    level: int
    chroma: int
    depth: int
    width: int
    height: int
    progressive: bool
    aspect: Fraction | None
    full_range: bool | None
    colour: tuple[int, int, int] | None
    frame_rate: Fraction | None


def parse_sps(unit: bytes) -> Sps:
    """Read a NAL unit of type 7.

    Raises:
        ValueError: it ends too early or is of another type.
    """
    if len(unit) < 4 or unit[0] & 0x1F != 7:
        raise ValueError("no sequence parameter set")
    profile, constraints, level = unit[1:4]
    bits = Bits(without_emulation(unit[4:]), "parameter set")
    bits.unsigned()
    chroma, depth = _chroma(bits) if profile in _HIGH_PROFILES else (1, 8)
    _skip_picture_order(bits)
    bits.unsigned()
    bits.flag()
    width, map_units = 16 * (bits.unsigned() + 1), bits.unsigned() + 1
    frames_only = bits.flag()
    if not frames_only:
        bits.flag()
    bits.flag()
    height = 16 * map_units * (1 if frames_only else 2)
    if bits.flag():
        across, down = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1) * (1 if frames_only else 2)
        width -= across * (bits.unsigned() + bits.unsigned())
        height -= down * (bits.unsigned() + bits.unsigned())
    aspect, full_range, colour, rate = _usability(bits) if bits.flag() else (None, None, None, None)
    return Sps(
        profile=profile,
        constraints=constraints,
        level=level,
        chroma=chroma,
        depth=depth,
        width=width,
        height=height,
        progressive=frames_only,
        aspect=aspect,
        full_range=full_range,
        colour=colour,
        frame_rate=rate,
    )


def without_emulation(data: bytes) -> bytes:
    """The payload of a NAL unit without the bytes that keep it from looking like a start code (7.4.1)."""
    return data.replace(b"\0\0\3", b"\0\0")


def _chroma(bits: Bits) -> tuple[int, int]:
    chroma = bits.unsigned()
    if chroma == 3:
        bits.flag()
    depth = 8 + bits.unsigned()
    bits.unsigned()
    bits.flag()
    if bits.flag():
        for number in range(8 if chroma != 3 else 12):
            if bits.flag():
                _skip_scaling_list(bits, 16 if number < 6 else 64)
    return chroma, depth


def _skip_scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_picture_order(bits: Bits) -> None:
    bits.unsigned()
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()
    elif kind == 1:
        bits.flag()
        bits.signed()
        bits.signed()
        for _ in range(bits.unsigned()):
            bits.signed()


def _usability(
    bits: Bits,
) -> tuple[Fraction | None, bool | None, tuple[int, int, int] | None, Fraction | None]:
    aspect: Fraction | None = None
    if bits.flag():
        indicator = bits.read(8)
        if indicator == 255:
            across, down = bits.read(16), bits.read(16)
        else:
            across, down = _ASPECTS[indicator] if indicator < len(_ASPECTS) else (0, 0)
        aspect = Fraction(across, down) if across and down else None
    if bits.flag():
        bits.flag()
    full_range, colour = None, None
    if bits.flag():
        bits.read(3)
        full_range = bits.flag()
        if bits.flag():
            colour = (bits.read(8), bits.read(8), bits.read(8))
    if bits.flag():
        bits.unsigned()
        bits.unsigned()
    rate: Fraction | None = None
    if bits.flag():
        unit, scale = bits.read(32), bits.read(32)
        rate = Fraction(scale, 2 * unit) if unit else None
    return aspect, full_range, colour, rate

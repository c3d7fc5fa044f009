"""The sequence parameter set of H.264 (ITU-T H.264, 7.3.2.1.1 and annex E): what a decoder is told of the picture. Pure."""

from dataclasses import dataclass
from fractions import Fraction

_HIGH_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
# Table E-1: sample aspect ratios by indicator; 255 is followed by the ratio itself.
_ASPECTS = (
    (0, 1), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11),
    (80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1),
)  # fmt: skip


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

    @property
    def codecs(self) -> str:
        """RFC 6381 text."""
        return f"avc1.{self.profile:02x}{self.constraints:02x}{self.level:02x}"


class _Bits:
    """Reads bits; past the end is a ValueError."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self._at = 0

    def read(self, count: int) -> int:
        piece = self._bits[self._at : self._at + count]
        if len(piece) < count:
            raise ValueError("parameter set is cut short")
        self._at += count
        return int(piece, 2) if piece else 0

    def flag(self) -> bool:
        return bool(self.read(1))

    def unsigned(self) -> int:
        one = self._bits.find("1", self._at)
        if one < 0:
            raise ValueError("parameter set is cut short")
        zeros = one - self._at
        self._at = one
        return self.read(zeros + 1) - 1

    def signed(self) -> int:
        value = self.unsigned()
        return (value + 1) // 2 if value % 2 else -(value // 2)


def parse_sps(unit: bytes) -> Sps:
    """Read a NAL unit of type 7.

    Raises:
        ValueError: it ends too early or is of another type.
    """
    if len(unit) < 4 or unit[0] & 0x1F != 7:
        raise ValueError("no sequence parameter set")
    profile, constraints, level = unit[1:4]
    bits = _Bits(_without_emulation(unit[4:]))
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
        profile=profile, constraints=constraints, level=level, chroma=chroma, depth=depth, width=width, height=height,
        progressive=frames_only, aspect=aspect, full_range=full_range, colour=colour, frame_rate=rate,
    )  # fmt: skip


def _without_emulation(data: bytes) -> bytes:
    return data.replace(b"\0\0\3", b"\0\0")


def _chroma(bits: _Bits) -> tuple[int, int]:
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


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_picture_order(bits: _Bits) -> None:
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
    bits: _Bits,
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

"""The parameter sets of H.264 (ITU-T H.264, 7.3.2.1 and 7.3.2.2), as far as the headers of slices depend on them. Pure."""

from dataclasses import dataclass

from shared.mp4.bits import Bits
from shared.mp4.bmff import MalformedMedia

_PLAIN_PROFILES = frozenset((66, 77))
"""Baseline and Main: always 4:2:0, and silent on chroma."""

_HIGH_PROFILES = frozenset((100, 110, 122, 244, 44))
"""Extended has data partitions and switching slices, scalable and multiview profiles have units of their own: not read here."""

_MONOCHROME, _YUV_420, _YUV_444 = 0, 1, 3
_ID_LIMITS = {"sequence": 32, "picture": 256}


class UnknownSyntax(MalformedMedia):
    """A stream uses something of its codec that is not read here, so where its slice headers end cannot be said."""


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """A sequence parameter set. Names are those of the standard, without their ``log2_`` and ``_minus4``."""

    number: int
    chroma_array_type: int
    separate_colour_planes: bool
    frame_num_bits: int
    order_count_type: int
    order_count_lsb_bits: int
    delta_order_always_zero: bool
    frame_mbs_only: bool


@dataclass(frozen=True, slots=True)
class PictureSet:
    """A picture parameter set. ``references`` are the default numbers of active references of both lists."""

    number: int
    sequence: int
    cabac: bool
    bottom_field_order: bool
    references: tuple[int, int]
    weighted_p: bool
    weighted_b: int
    deblocking_control: bool
    redundant_pictures: bool


def read_sequence_set(unit: bytes) -> SequenceSet:
    """Read a NAL unit of type 7.

    Raises:
        UnknownSyntax: its profile is none that is read here.
        MalformedMedia: it cannot be read.
    """
    bits = Bits(unit[1:])
    profile = bits.unsigned(8)
    bits.unsigned(16)  # constraints and level
    number = _id_of(bits, "sequence")
    chroma, separate = _YUV_420, False
    if profile in _HIGH_PROFILES:
        chroma, separate = _chroma(bits)
    elif profile not in _PLAIN_PROFILES:
        raise UnknownSyntax(f"profile {profile}")
    frame_num_bits = _bits_of(bits)
    order_count_type, lsb_bits, always_zero = _order_count(bits)
    bits.golomb()  # max_num_ref_frames
    bits.flag()  # gaps_in_frame_num_value_allowed_flag
    bits.golomb()  # pic_width_in_mbs_minus1
    bits.golomb()  # pic_height_in_map_units_minus1
    return SequenceSet(
        number=number,
        chroma_array_type=_MONOCHROME if separate else chroma,
        separate_colour_planes=separate,
        frame_num_bits=frame_num_bits,
        order_count_type=order_count_type,
        order_count_lsb_bits=lsb_bits,
        delta_order_always_zero=always_zero,
        frame_mbs_only=bits.flag(),
    )


def read_picture_set(unit: bytes) -> PictureSet:
    """Read a NAL unit of type 8.

    Raises:
        UnknownSyntax: it has slice groups.
        MalformedMedia: it cannot be read.
    """
    bits = Bits(unit[1:])
    number, sequence = _id_of(bits, "picture"), _id_of(bits, "sequence")
    cabac, bottom_field_order = bits.flag(), bits.flag()
    if bits.golomb():
        raise UnknownSyntax("slice groups")
    references = (bits.golomb() + 1, bits.golomb() + 1)
    weighted_p, weighted_b = bits.flag(), bits.unsigned(2)
    bits.golomb()  # pic_init_qp_minus26
    bits.golomb()  # pic_init_qs_minus26
    bits.golomb()  # chroma_qp_index_offset
    deblocking_control = bits.flag()
    bits.flag()  # constrained_intra_pred_flag
    return PictureSet(
        number=number,
        sequence=sequence,
        cabac=cabac,
        bottom_field_order=bottom_field_order,
        references=references,
        weighted_p=weighted_p,
        weighted_b=weighted_b,
        deblocking_control=deblocking_control,
        redundant_pictures=bits.flag(),
    )


def _id_of(bits: Bits, kind: str) -> int:
    number = bits.golomb()
    if number >= _ID_LIMITS[kind]:
        raise MalformedMedia(f"{kind} parameter set {number}")
    return number


def _bits_of(bits: Bits) -> int:
    """Length of a field, given as its logarithm beyond 4; 16 bits at the most."""
    more = bits.golomb()
    if more > 12:
        raise MalformedMedia(f"a field of {more + 4} bits")
    return more + 4


def _chroma(bits: Bits) -> tuple[int, bool]:
    """chroma_format_idc, and whether the colours are coded as pictures of their own."""
    chroma = bits.golomb()
    if chroma > _YUV_444:
        raise MalformedMedia(f"chroma format {chroma}")
    separate = chroma == _YUV_444 and bits.flag()
    bits.golomb()  # bit_depth_luma_minus8
    bits.golomb()  # bit_depth_chroma_minus8
    bits.flag()  # qpprime_y_zero_transform_bypass_flag
    if bits.flag():
        for number in range(12 if chroma == _YUV_444 else 8):
            if bits.flag():
                _skip_scaling_list(bits, 16 if number < 6 else 64)
    return chroma, separate


def _skip_scaling_list(bits: Bits, size: int) -> None:
    last = 8
    for _ in range(size):
        # Behind a zero the list repeats its last value, and says no more.
        last = (last + bits.signed_golomb()) % 256
        if not last:
            return


def _order_count(bits: Bits) -> tuple[int, int, bool]:
    """How pictures are counted in the order of showing: the type, bits of what slices say of it, and whether they say nothing."""
    kind, lsb_bits, always_zero = bits.golomb(), 0, False
    if kind == 0:
        lsb_bits = _bits_of(bits)
    elif kind == 1:
        always_zero = bits.flag()
        bits.signed_golomb()  # offset_for_non_ref_pic
        bits.signed_golomb()  # offset_for_top_to_bottom_field
        cycle = bits.golomb()
        if cycle > 255:
            raise MalformedMedia(f"{cycle} frames in an order count cycle")
        for _ in range(cycle):
            bits.signed_golomb()
    elif kind != 2:
        raise MalformedMedia(f"order count type {kind}")
    return kind, lsb_bits, always_zero

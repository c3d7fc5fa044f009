"""Where the header of a slice of H.264 ends (ITU-T H.264, 7.3.3), which is what encrypted samples show. Pure.

A sample that is encrypted by ``cbcs`` (ISO/IEC 23001-7) keeps in the clear what is not the picture itself, and of each slice
(NAL types 1 and 5) its length, its type and its header, rounded up to a byte. Neither more nor less: CMAF (ISO/IEC 23000-19,
8.2.3.1) has the protected bytes begin with the first byte behind the header, and players of Apple's look for them there
whatever the sample's map says.

A stream that uses what is not read here is refused, since a header read wrongly would be a picture that nobody can decode.
"""

from shared.media.codecs.h264_sets import (
    PictureSet,
    SequenceSet,
    UnknownSyntax,
    read_picture_set,
    read_sequence_set,
)
from shared.mp4.bits import Bits, BitsExhausted
from shared.mp4.bmff import MalformedMedia
from shared.mp4.subsamples import Spans, SubsampleMap

_SLICE, _IDR_SLICE, _SEQUENCE_SET, _PICTURE_SET = 1, 5, 7, 8
# Data partitions, auxiliary pictures, and slices of scalable and multiview streams: pictures that would stay in the clear.
_OTHER_SLICES = frozenset((2, 3, 4, 19, 20, 21))
_P, _B, _I = 0, 1, 2
LENGTH_BYTES = 4
"""Of the length before each NAL unit of a sample."""
# Bytes of a slice that are looked at first, then; a header with many weights is longer.
_WINDOWS = (64, 1024)
_MOST_REFERENCES = 32


class SliceHeaders:
    """Finds the headers of the slices of one track.

    Samples have to come in their order: parameter sets between the slices, if there are any, take the place of those before.

    Args:
        sequence, picture: parameter sets (NAL units) in the initialization segment.

    Raises:
        UnknownSyntax: they use what is not read here. MalformedMedia: they cannot be read.
    """

    def __init__(self, sequence: list[bytes], picture: list[bytes]) -> None:
        self._sequence: dict[int, SequenceSet] = {}
        self._picture: dict[int, PictureSet] = {}
        for unit in (*sequence, *picture):
            self._keep(unit)

    def subsamples(self, sample: bytes | memoryview) -> Spans:
        """The map of a sample: clear and protected bytes by turns.

        Raises:
            UnknownSyntax: it uses what is not read here. MalformedMedia: it cannot be read.
        """
        found, position = SubsampleMap(), 0
        while position < len(sample):
            start = position + LENGTH_BYTES
            end = start + int.from_bytes(sample[position:start])
            if start >= end or end > len(sample):
                raise MalformedMedia("NAL units do not fill their sample")
            kind = sample[start] & 0x1F
            if kind in (_SLICE, _IDR_SLICE):
                header = 1 + self._slice_header(sample[start:end])
                found.add(LENGTH_BYTES + header, end - start - header)
            elif kind in _OTHER_SLICES:
                raise UnknownSyntax(f"NAL unit of type {kind}")
            else:
                if kind in (_SEQUENCE_SET, _PICTURE_SET):
                    self._keep(bytes(sample[start:end]))
                found.add(end - position, 0)
            position = end
        return found.finished()

    def _keep(self, unit: bytes) -> None:
        if unit[0] & 0x1F == _SEQUENCE_SET:
            sequence = read_sequence_set(unit)
            self._sequence[sequence.number] = sequence
        else:
            picture = read_picture_set(unit)
            self._picture[picture.number] = picture

    def _slice_header(self, unit: bytes | memoryview) -> int:
        """Bytes of the header of a slice, its NAL header not counted."""
        for window in _WINDOWS:
            if window < len(unit):
                try:
                    return self._read_slice_header(unit[0], bytes(unit[1 : 1 + window]))
                except BitsExhausted:
                    continue
        return self._read_slice_header(unit[0], bytes(unit[1:]))

    def _read_slice_header(self, nal_header: int, payload: bytes) -> int:
        bits = Bits(payload)
        bits.golomb()  # first_mb_in_slice
        kind = bits.golomb()
        if kind > 9:
            raise MalformedMedia(f"slice type {kind}")
        kind %= 5
        if kind not in (_P, _B, _I):
            raise UnknownSyntax("switching slices")
        picture, sequence = self._sets(bits.golomb())
        idr, reference = nal_header & 0x1F == _IDR_SLICE, bool(nal_header & 0x60)
        _skip_place(bits, sequence, picture, idr=idr)
        if picture.redundant_pictures:
            bits.golomb()  # redundant_pic_cnt
        if kind != _I:
            _skip_references(bits, sequence, picture, kind)
        if reference:
            _skip_marking(bits, idr=idr)
        if picture.cabac and kind != _I:
            bits.golomb()  # cabac_init_idc
        bits.golomb()  # slice_qp_delta
        if picture.deblocking_control and bits.golomb() != 1:
            bits.golomb()  # slice_alpha_c0_offset_div2
            bits.golomb()  # slice_beta_offset_div2
        return bits.bytes_read

    def _sets(self, number: int) -> tuple[PictureSet, SequenceSet]:
        picture = self._picture.get(number)
        sequence = self._sequence.get(picture.sequence) if picture else None
        if not picture or not sequence:
            raise MalformedMedia(f"no parameter sets for picture parameter set {number}")
        return picture, sequence


def _skip_place(bits: Bits, sequence: SequenceSet, picture: PictureSet, *, idr: bool) -> None:
    """Which picture the slice is of."""
    if sequence.separate_colour_planes:
        bits.unsigned(2)  # colour_plane_id
    bits.unsigned(sequence.frame_num_bits)
    field = not sequence.frame_mbs_only and bits.flag()
    if field:
        bits.flag()  # bottom_field_flag
    if idr:
        bits.golomb()  # idr_pic_id
    both_fields = picture.bottom_field_order and not field
    if sequence.order_count_type == 0:
        bits.unsigned(sequence.order_count_lsb_bits)
        if both_fields:
            bits.golomb()  # delta_pic_order_cnt_bottom
    elif sequence.order_count_type == 1 and not sequence.delta_order_always_zero:
        bits.golomb()  # delta_pic_order_cnt[0]
        if both_fields:
            bits.golomb()  # delta_pic_order_cnt[1]


def _skip_references(bits: Bits, sequence: SequenceSet, picture: PictureSet, kind: int) -> None:
    """Which pictures the slice refers to, and their weights."""
    if kind == _B:
        bits.flag()  # direct_spatial_mv_pred_flag
    lists = 2 if kind == _B else 1
    references = picture.references
    if bits.flag():  # num_ref_idx_active_override_flag
        references = (bits.golomb() + 1, bits.golomb() + 1 if kind == _B else 0)
    if max(references[:lists]) > _MOST_REFERENCES:
        raise MalformedMedia(f"{references} references")
    for _ in range(lists):
        if bits.flag():  # ref_pic_list_modification_flag
            _skip_modification(bits)
    if picture.weighted_p if kind == _P else picture.weighted_b == 1:
        _skip_weights(bits, sequence, references[:lists])


def _skip_modification(bits: Bits) -> None:
    while (operation := bits.golomb()) != 3:
        if operation > 3:
            raise UnknownSyntax(f"modification {operation} of a reference list")
        bits.golomb()  # abs_diff_pic_num_minus1 or long_term_pic_num


def _skip_weights(bits: Bits, sequence: SequenceSet, references: tuple[int, ...]) -> None:
    colour = sequence.chroma_array_type != 0
    bits.golomb()  # luma_log2_weight_denom
    if colour:
        bits.golomb()  # chroma_log2_weight_denom
    for _ in range(sum(references)):
        if bits.flag():
            for _luma in range(2):
                bits.golomb()  # weight and offset
        if colour and bits.flag():
            for _chroma in range(4):
                bits.golomb()


def _skip_marking(bits: Bits, *, idr: bool) -> None:
    """What happens to pictures that later ones may refer to."""
    if idr:
        bits.unsigned(2)  # no_output_of_prior_pics_flag, long_term_reference_flag
    elif bits.flag():  # adaptive_ref_pic_marking_mode_flag
        while operation := bits.golomb():
            if operation > 6:
                raise MalformedMedia(f"memory management operation {operation}")
            if operation != 5:
                bits.golomb()
            if operation == 3:
                bits.golomb()  # long_term_frame_idx, behind difference_of_pic_nums_minus1

"""Where the headers of slices end, by headers written field by field; and what is refused."""

from dataclasses import dataclass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.media.codecs.h264 import H264
from shared.media.codecs.h264_sets import UnknownSyntax
from shared.media.codecs.h264_slices import SliceHeaders
from shared.mp4.bits import Bits, BitsExhausted
from shared.mp4.bmff import MalformedMedia
from tests.support.boxes import avc_config, init_segment, video_entry
from tests.support.slices import Writer, escaped, in_sample, picture_set, sequence_set, unit

BODY = bytes(range(7, 200))


@dataclass(frozen=True)
class Slice:
    """What a slice is, and what its header is written from."""

    kind: int
    idr: bool
    reference: bool


class Fields:
    """A slice header, field by field in the order of 7.3.3, with values that Hypothesis chooses."""

    def __init__(self, data: st.DataObject, sequence: dict[str, int], picture: dict[str, int], made: Slice) -> None:
        self._data, self._sequence, self._picture, self._made = data, sequence, picture, made
        self.out = Writer()

    def written(self) -> bytes:
        self.out.ue(self._number(), self._made.kind + 5 * self._draw(0, 1), 0)
        self._place()
        if self._picture["redundant"]:
            self.out.ue(self._number())
        if self._made.kind != 2:
            self._references()
        if self._made.reference:
            self._marking()
        if self._picture["cabac"] and self._made.kind != 2:
            self.out.ue(2)
        self.out.se(self._draw(-26, 25))
        if self._picture["deblocking"]:
            off = self._draw(0, 2)
            self.out.ue(off)
            if off != 1:
                self.out.se(self._draw(-6, 6), self._draw(-6, 6))
        return self.out.bytes()

    def _draw(self, least: int, most: int) -> int:
        return self._data.draw(st.integers(least, most))

    def _number(self) -> int:
        return self._data.draw(st.sampled_from((0, 1, 2, 5, 31, 255, 65_535)))

    def _flag(self) -> int:
        drawn = self._draw(0, 1)
        self.out.bits(drawn, 1)
        return drawn

    def _place(self) -> None:
        sequence = self._sequence
        if sequence["separate"]:
            self.out.bits(2, 2)
        self.out.bits(self._draw(0, 2 ** sequence["frame_num_bits"] - 1), sequence["frame_num_bits"])
        field = not sequence["frames_only"] and self._flag()
        if field:
            self._flag()
        if self._made.idr:
            self.out.ue(self._number())
        if sequence["order"] == 0:
            self.out.bits(self._draw(0, 2 ** sequence["lsb_bits"] - 1), sequence["lsb_bits"])
        told = sequence["order"] == 1 and not sequence["always_zero"]
        if told:
            self.out.se(self._number())
        if (told or sequence["order"] == 0) and self._picture["bottom"] and not field:
            self.out.se(-self._number())

    def _references(self) -> None:
        kind = self._made.kind
        counts = [2, 3] if kind == 1 else [2]
        if kind == 1:
            self._flag()
        if self._flag():
            counts = [self._draw(1, 32) for _ in counts]
            self.out.ue(*(count - 1 for count in counts))
        for _ in counts:
            if self._flag():
                for _ in range(self._draw(0, 4)):
                    self.out.ue(self._draw(0, 2), self._number())
                self.out.ue(3)
        if self._picture["weighted_b"] == 1 if kind == 1 else self._picture["weighted_p"]:
            self._weights(sum(counts))

    def _weights(self, references: int) -> None:
        colour = self._sequence["chroma"] != 0 and not self._sequence["separate"]
        self.out.ue(*(self._number() for _ in range(1 + colour)))
        for _ in range(references):
            for values in (2, 4)[: 1 + colour]:
                if self._flag():
                    self.out.se(*(self._draw(-128, 127) for _ in range(values)))

    def _marking(self) -> None:
        if self._made.idr:
            self.out.bits(self._draw(0, 3), 2)
        elif self._flag():
            for operation in self._data.draw(st.lists(st.integers(1, 6), max_size=5)):
                self.out.ue(operation, *(self._number() for _ in range({3: 2, 5: 0}.get(operation, 1))))
            self.out.ue(0)


@given(st.data())
def test_a_header_ends_where_its_last_field_does(data: st.DataObject) -> None:
    number = st.integers
    chroma = data.draw(st.sampled_from((0, 1, 2, 3)))
    sequence = {
        "chroma": chroma,
        "separate": data.draw(number(0, 1)) if chroma == 3 else 0,
        "frame_num_bits": data.draw(number(4, 16)),
        "order": data.draw(number(0, 2)),
        "lsb_bits": data.draw(number(4, 16)),
        "always_zero": data.draw(number(0, 1)),
        "frames_only": data.draw(number(0, 1)),
    }
    flags = {name: data.draw(number(0, 1)) for name in ("cabac", "bottom", "deblocking", "redundant", "weighted_p")}
    picture = {**flags, "weighted_b": data.draw(number(0, 2))}
    kind = data.draw(number(0, 2))
    made = Slice(kind, kind == 2 and data.draw(st.booleans()), True)
    if not made.idr:
        made = Slice(kind, False, data.draw(st.booleans()))
    head = Fields(data, sequence, picture, made).written()
    # What follows begins with a byte that needs no emulation prevention, whatever was before.
    coded = unit(5 if made.idr else 1, head + BODY, importance=3 if made.reference else 0)
    headers = SliceHeaders(
        [
            sequence_set(
                chroma=chroma, separate=bool(sequence["separate"]), frame_num_bits=sequence["frame_num_bits"],
                order=sequence["order"], lsb_bits=sequence["lsb_bits"], always_zero=bool(sequence["always_zero"]),
                frames_only=bool(sequence["frames_only"]), scaling=data.draw(st.booleans()),
            )
        ],
        [
            picture_set(
                cabac=bool(picture["cabac"]), bottom=bool(picture["bottom"]), references=(2, 3),
                weighted=(bool(picture["weighted_p"]), picture["weighted_b"]), deblocking=bool(picture["deblocking"]),
                redundant=bool(picture["redundant"]),
            )
        ],
    )  # fmt: skip
    assert headers.subsamples(in_sample(coded)) == ((len(coded) - len(BODY) + 4, len(BODY)),)


def bare() -> SliceHeaders:
    return SliceHeaders([sequence_set(profile=66, order=2, frame_num_bits=16)], [picture_set(cabac=False)])


def intra(frame_num: int) -> Writer:
    """An I slice, its frame number at bits 5 to 20."""
    return Writer().ue(0, 2, 0).bits(frame_num, 16).bits(0, 1).se(0).ue(1)


def test_emulation_prevention_inside_a_header_is_part_of_it() -> None:
    # The frame number and what follows make two bytes of zeros, and a third that is 3 at the most.
    head = Writer().ue(0, 2, 0).bits(0, 16).bits(0, 1).ue(300, 1).bytes()
    assert len(escaped(head)) == len(head) + 1
    coded = unit(1, head + BODY)
    assert bare().subsamples(in_sample(coded)) == ((5 + len(head) + 1, len(BODY)),)


def test_emulation_prevention_behind_a_header_is_protected() -> None:
    # The last field ends with seventeen zeros, and with the header's last byte; the byte put in belongs to what follows.
    head = Writer().ue(0, 2, 0).bits(0xFFFF, 16).ue(2**17 - 1)
    assert len(head.text) % 8 == 0
    sets = [sequence_set(profile=66, order=2, frame_num_bits=16)], [picture_set(cabac=False, deblocking=False)]
    coded = unit(1, head.bytes() + b"\1" + BODY, importance=0)
    assert SliceHeaders(*sets).subsamples(in_sample(coded)) == ((5 + len(head.bytes()), 2 + len(BODY)),)


def test_what_is_no_slice_stays_clear() -> None:
    delimiter, message, filler = b"\x09\xf0", b"\x06\x05\x01\x00\x80", b"\x0c\xff\xff\x80"
    coded = unit(5, intra(7).bits(0, 1).bytes() + BODY)
    [(clear, protected), rest] = bare().subsamples(in_sample(delimiter, message, coded, filler))
    assert clear + protected == 6 + 9 + 4 + len(coded)
    assert rest == (8, 0)


def test_clear_bytes_beyond_sixteen_bits_take_a_span_of_their_own() -> None:
    coded = unit(1, intra(7).bytes() + BODY)
    spans = bare().subsamples(in_sample(b"\x06" + b"\xff" * 70_000, coded))
    assert spans[0] == (65_535, 0)
    assert sum(map(sum, spans)) == 70_005 + 4 + len(coded)


def test_parameter_sets_between_slices_count_from_there() -> None:
    headers = SliceHeaders([sequence_set(profile=66, order=2)], [picture_set(cabac=False)])
    short = unit(1, Writer().ue(0, 2, 0).bits(0, 4).bits(0, 1).se(0).ue(1).bytes() + BODY)
    [(before, _)] = headers.subsamples(in_sample(short))
    again = sequence_set(profile=66, order=2, frame_num_bits=16)
    coded = unit(1, intra(0xAAAA).bytes() + BODY)
    [(after, protected)] = headers.subsamples(in_sample(again, coded))
    assert protected == len(BODY)
    assert before < after - len(again) - 4


def plain_slice(kind: int = 2, picture: int = 0) -> bytes:
    return Writer().ue(0, kind, picture).bits(0xAAAA, 16).bits(0, 1).se(0).ue(1).bytes() + BODY


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (in_sample(unit(2, plain_slice())), "NAL unit of type 2"),
        (in_sample(unit(4, plain_slice())), "NAL unit of type 4"),
        (in_sample(unit(19, plain_slice())), "NAL unit of type 19"),
        (in_sample(unit(20, plain_slice())), "NAL unit of type 20"),
        (in_sample(unit(1, plain_slice(3))), "switching slices"),
        (in_sample(unit(1, plain_slice(9))), "switching slices"),
        (in_sample(unit(1, plain_slice(10))), "slice type 10"),
        (in_sample(unit(1, plain_slice(picture=3))), "no parameter sets for picture parameter set 3"),
        (in_sample(unit(1, plain_slice()))[:-1], "do not fill"),
        (in_sample(unit(1, plain_slice())) + b"\0", "do not fill"),
        (in_sample(b""), "do not fill"),
        (in_sample(b"\x41"), "ends early"),
        (in_sample(b"\x41\x80"), "ends early"),
        (in_sample(b"\x41" + bytes(5) + b"\x01" * 8), "zeros"),
        (in_sample(picture_set(groups=1)), "slice groups"),
    ],
)
def test_what_is_not_known_is_refused(sample: bytes, reason: str) -> None:
    with pytest.raises(MalformedMedia, match=reason):
        bare().subsamples(sample)


@pytest.mark.parametrize("profile", [88, 83, 86, 118, 128, 0])
def test_unknown_profiles_are_refused(profile: int) -> None:
    with pytest.raises(UnknownSyntax, match=f"profile {profile}"):
        SliceHeaders([sequence_set(profile=profile)], [picture_set()])


def test_sets_that_are_cut_off_are_refused() -> None:
    whole = sequence_set()
    for end in range(1, len(whole) - 1):
        with pytest.raises(MalformedMedia):
            SliceHeaders([whole[:end]], [])


@given(st.binary(min_size=1, max_size=80))
def test_whatever_comes_is_read_or_refused(payload: bytes) -> None:
    sample = in_sample(b"\x41" + payload)
    try:
        spans = bare().subsamples(sample)
    except MalformedMedia:
        return
    assert sum(map(sum, spans)) == len(sample)


def test_lengths_of_two_bytes_are_refused() -> None:
    config = bytearray(avc_config([sequence_set()], [picture_set()]))
    assert H264.sample_map(init_segment(video_entry(bytes(config))))(in_sample(b"\x09\xf0")) == ((6, 0),)
    config[8 + 4] = 0xFD
    with pytest.raises(UnknownSyntax, match="lengths of other than 4 bytes"):
        H264.sample_map(init_segment(video_entry(bytes(config))))


@given(st.lists(st.tuples(st.sampled_from("usf"), st.integers(0, 2**20))), st.binary(max_size=4))
def test_numbers_are_read_as_they_were_written(fields: list[tuple[str, int]], rest: bytes) -> None:
    out = Writer()
    for form, number in fields:
        if form == "u":
            out.ue(number)
        elif form == "s":
            out.se(-number)
        else:
            out.bits(number % 2, 1)
    payload = out.bytes()
    bits = Bits(escaped(payload + rest))
    for form, number in fields:
        read = bits.golomb() if form == "u" else -bits.signed_golomb() if form == "s" else int(bits.flag())
        assert read == (number % 2 if form == "f" else number)
    assume(bits.position)
    # The bytes read are those up to the last one, however much was put in among them.
    assert bits.bytes_read == len(escaped(payload + b"\xff")) - 1


def test_beyond_the_last_bit_there_is_nothing() -> None:
    for read in (Bits.flag, Bits.golomb):
        with pytest.raises(BitsExhausted):
            read(Bits(b""))
    with pytest.raises(BitsExhausted):
        Bits(b"\xff").unsigned(9)

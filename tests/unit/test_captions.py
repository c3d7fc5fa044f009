"""Closed captions: found in the pictures' SEI, and told apart by channel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mp4.captions import Channels, Triplet, read_captions
from tests.support.captioned import pair, sei

SLICE = b"\x65" + bytes(20)


def sample(*units: bytes, length_size: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(length_size) + unit for unit in units)


def channels(*triplets: Triplet) -> tuple[str, ...]:
    found = Channels()
    for triplet in triplets:
        found.feed([triplet])
    return found.found


def control(code: int, field: int = 0, *, second_channel: bool = False, first: int = 0x14) -> Triplet:
    return field, first + (8 if second_channel else 0), code


RESUME, ROLL_UP, TEXT_RESTART, END_OF_CAPTION = 0x20, 0x25, 0x2A, 0x2F


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 255), st.integers(1, 127)), max_size=31))
def test_what_was_put_into_a_picture_is_read(triplets: list[Triplet]) -> None:
    assert read_captions(sample(b"\x09\xf0", sei(triplets), SLICE)) == triplets
    assert read_captions(memoryview(sample(sei(triplets), SLICE, length_size=2)), 2) == triplets


def test_padding_and_what_is_marked_invalid_is_left_out() -> None:
    unit = sei([pair(5), (0, 0x80, 0x80), pair(6)])
    assert read_captions(sample(unit, SLICE)) == [pair(5), pair(6)]
    assert read_captions(sample(unit.replace(bytes((0xFC, *pair(5)[1:])), bytes((0xF8, *pair(5)[1:]))), SLICE)) == [
        pair(6)
    ]


@pytest.mark.parametrize(
    "units",
    [
        [SLICE],
        [SLICE, sei([pair(1)])],
        [b"\x06\x05\x02\xff\xff\x80", SLICE],
        [sei([pair(1)]).replace(b"GA94", b"DTG1"), SLICE],
        [sei([pair(1)])[:-5], SLICE],
        [b"\x06\x04\xff\xff\xff", SLICE],
        [b"\x06"],
        [],
    ],
)
def test_other_data_is_no_caption(units: list[bytes]) -> None:
    assert read_captions(sample(*units)) == []


@given(st.binary(max_size=80))
def test_no_bytes_are_a_problem(data: bytes) -> None:
    read_captions(data)
    read_captions(sample(b"\x06" + data))
    found = Channels()
    found.feed((byte & 3, byte, 255 - byte) for byte in data)
    assert isinstance(found.found, tuple)


@pytest.mark.parametrize(
    ("field", "second_channel", "name"), [(0, False, "CC1"), (0, True, "CC2"), (1, False, "CC3"), (1, True, "CC4")]
)
def test_control_codes_say_whose_the_characters_are(field: int, second_channel: bool, name: str) -> None:
    code = control(RESUME, field, second_channel=second_channel)
    assert channels(code) == (), "a code alone shows nothing"
    assert channels(code, pair(7, field=field)) == (name,)
    assert channels(code, pair(7, field=1 - field)) == (), "the fields know nothing of each other"
    music = control(0x37, field, second_channel=second_channel, first=0x11)
    assert channels(music) == (name,)
    row = control(0x50, field, second_channel=second_channel, first=0x11)
    assert channels(code, row) == (), "a row is chosen, nothing is written there"


def test_several_channels() -> None:
    both = [
        control(ROLL_UP),
        pair(1),
        control(ROLL_UP, second_channel=True),
        pair(2),
        control(RESUME, 1),
        pair(3, field=1),
    ]
    assert channels(*both) == ("CC1", "CC2", "CC3")


def test_text_mode_and_programme_data_are_no_captions() -> None:
    assert channels(control(TEXT_RESTART), pair(1), pair(2)) == ()
    assert channels(control(TEXT_RESTART), pair(1), control(ROLL_UP), pair(2)) == ("CC1",)
    assert channels(control(TEXT_RESTART), control(END_OF_CAPTION), pair(2)) == ("CC1",)
    programme: list[Triplet] = [(1, 0x01, 0x03), pair(5, field=1), (1, 0x0F, 0x1D), pair(6, field=1)]
    assert channels(control(RESUME, 1), *programme) == ()
    assert channels(pair(1)) == (), "nothing has said whose these are"


def packet(*blocks: bytes) -> list[Triplet]:
    """A packet of CEA-708 out of service blocks."""
    body = b"".join(blocks)
    body += bytes(1 - len(body) % 2)
    data = bytes([0x40 | (len(body) + 1) // 2]) + body
    pairs = [data[place : place + 2] for place in range(0, len(data), 2)]
    return [(3 if number == 0 else 2, piece[0], piece[1]) for number, piece in enumerate(pairs)]


def test_services() -> None:
    assert channels(*packet(b"\x22Hi", b"\x41x")) == ("SERVICE1", "SERVICE2")
    assert channels(*packet(b"\xe1\x0c!")) == ("SERVICE12",)
    assert channels(*packet(b"\x00", b"\x20")) == (), "blocks of nothing"
    assert channels(*packet(b"\x22Hi")[1:]) == (), "the beginning is missing"
    assert channels(*packet(b"\x62Hi"), control(RESUME), pair(1)) == ("CC1", "SERVICE3")

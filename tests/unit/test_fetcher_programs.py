"""Choosing one program of a transport stream."""

from typing import Any

import pytest

from services.fetcher.probe.packets import Extent, PacketTable, VideoPackets
from services.fetcher.probe.programs import one_program, program_warnings


def video(index: int, width: int) -> dict[str, Any]:
    return {"index": index, "codec_type": "video", "width": width, "height": width // 2}


def audio(index: int) -> dict[str, Any]:
    return {"index": index, "codec_type": "audio"}


def program(number: int, *indexes: int, **tags: str) -> dict[str, Any]:
    return {"program_num": number, "streams": [{"index": index} for index in indexes], "tags": tags}


def header(programs: list[dict[str, Any]], *streams: dict[str, Any]) -> dict[str, Any]:
    return {"programs": programs, "streams": list(streams)}


def indexes(found: dict[str, Any]) -> list[int]:
    return [stream["index"] for stream in found["streams"]]


def table(*sent: int) -> PacketTable:
    return PacketTable(VideoPackets(), {index: Extent(count=9) for index in sent})


TWO = header([program(1, 0, 1), program(2, 2, 3)], video(0, 320), audio(1), video(2, 640), audio(3))


def test_the_one_of_the_largest_picture_and_of_equal_ones_the_first() -> None:
    assert indexes(one_program(TWO)) == [2, 3]
    alike = header(TWO["programs"], video(0, 320), audio(1), video(2, 320), audio(3))
    assert indexes(one_program(alike)) == [0, 1]


@pytest.mark.parametrize(
    "programs", [[], [program(1, 0, 1, 2, 3)], [program(1, 0, 1), program(2)], [program(1, 0, 1), program(2, 0, 1)]]
)
def test_where_there_is_nothing_to_choose_all_streams_stay(programs: list[dict[str, Any]]) -> None:
    found = header(programs, *TWO["streams"])
    assert one_program(found) is found
    assert program_warnings(found, found, table(0, 1, 2, 3)) == ()


def test_radio_is_no_picture_and_a_picture_without_sound_no_sound() -> None:
    found = header([program(1, 0), program(2, 1)], audio(0), video(1, 320))
    assert indexes(one_program(found)) == [1]
    assert indexes(one_program(found, sound=True)) == [0]


def test_sound_that_two_programs_share_belongs_to_both() -> None:
    found = header([program(1, 0, 1), program(2, 2, 1)], video(0, 320), audio(1), video(2, 640))
    assert indexes(one_program(found)) == [1, 2]


def test_a_program_that_is_only_announced_is_not_worth_a_warning() -> None:
    (warning,) = program_warnings(TWO, one_program(TWO), table(0, 1, 2, 3))
    assert warning.code == "program_dropped" and "another program; only number 2" in warning.message
    assert program_warnings(TWO, one_program(TWO), table(2, 3)) == ()


def test_the_name_of_a_station_is_told() -> None:
    found = header([program(1, 0, service_name="One"), program(2, 1), program(3, 2)], video(0, 9), audio(1), audio(2))
    (warning,) = program_warnings(found, one_program(found), table(0, 1, 2))
    assert "2 other programs; only “One” (number 1)" in warning.message

"""What files are called in a storage, how they are cut into parts, and which requests for uploads are refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.contract.errors import Invalid
from services.api.contract.json_body import parse_members
from services.api.contract.uploads import (
    LEAST_PART,
    MIB,
    MOST_BYTES,
    MOST_IN_ONE_PIECE,
    MOST_PART,
    MOST_PARTS,
    UploadRequest,
    clean_name,
    part_size_of,
    part_sizes,
)
from services.api.contract.validation import validate
from tests.support.policies import PUBLIC


def request(**members: object) -> UploadRequest:
    given = {"filename": "a.mp4", "size": 1000} | members
    return validate(UploadRequest, parse_members(json.dumps(given).encode()), policy=PUBLIC)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("lesson 4.mp4", "lesson-4.mp4"),
        ("/films/../film.MOV", "film.MOV"),
        ("C:\\films\\Über den Wolken.mkv", "Uber-den-Wolken.mkv"),
        ("日本.mp4", "upload.mp4"),
        ("..", "upload"),
        ("a?b&c=d#e%2F.mp4", "a-b-c-d-e-2F.mp4"),
        ("film", "film"),
        (".mp4", "upload.mp4"),
        ("x" * 300 + ".mp4", "x" * 96 + ".mp4"),
    ],
)
def test_names_are_cleaned(told: str, kept: str) -> None:
    assert clean_name(told) == kept


@given(st.text(max_size=300))
def test_no_name_leaves_its_folder_or_has_to_be_escaped(told: str) -> None:
    kept = clean_name(told)
    assert 1 <= len(kept) <= 100
    assert set(kept) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert not kept.startswith((".", "-"))


@given(st.integers(1, MOST_BYTES))
def test_parts_are_what_s3_takes_and_make_the_whole(size: int) -> None:
    part = part_size_of(size)
    sizes = part_sizes(size, part)
    assert sum(sizes) == size
    assert len(sizes) <= MOST_PARTS
    assert LEAST_PART <= part <= MOST_PART
    assert set(sizes[:-1]) <= {part}
    assert 1 <= sizes[-1] <= part


def test_what_one_put_can_bring_comes_in_one_piece() -> None:
    assert request(size=MOST_IN_ONE_PIECE).cut_into is None
    assert request(size=MOST_IN_ONE_PIECE + 1).cut_into == 64 * MIB
    assert request(size=20 * MIB, part_size=8 * MIB).cut_into == 8 * MIB


@pytest.mark.parametrize(
    ("members", "field", "word"),
    [
        ({"size": 0}, "size", "1"),
        ({"size": MOST_BYTES + 1}, "size", str(MOST_BYTES)),
        ({"size": "12"}, "size", "integer"),
        ({"filename": ""}, "filename", "blank"),
        ({"content_type": "video/mp4\r\nx: y"}, "content_type", "media type"),
        ({"part_size": 1}, "part_size", str(LEAST_PART)),
        ({"size": MOST_BYTES, "part_size": LEAST_PART}, "part_size", "1,024 parts"),
        ({"url": "x"}, "url", "Unknown field"),
    ],
)
def test_what_is_refused_is_named(members: dict[str, object], field: str, word: str) -> None:
    with pytest.raises(Invalid) as raised:
        request(**members)
    messages = raised.value.body[field]
    assert isinstance(messages, list)
    assert word in " ".join(messages)

"""Reading a body: strict, and each member's text as it was written."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.contract.errors import ApiError, BadRequest, Invalid, OfItem
from services.api.contract.json_body import MAX_NESTING, parse_items, parse_members

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
SPACES = st.text(alphabet=" \t\r\n", max_size=3)


@given(
    members=st.dictionaries(st.text(), VALUES, max_size=5),
    space=SPACES,
    ascii_only=st.booleans(),
    indent=st.none() | st.integers(0, 3),
)
def test_every_member_comes_back_as_it_was_written(
    members: dict[str, Any], space: str, ascii_only: bool, indent: int | None
) -> None:
    texts = {name: json.dumps(value, ensure_ascii=ascii_only, indent=indent) for name, value in members.items()}
    written = f"{space},{space}".join(
        f"{json.dumps(name, ensure_ascii=ascii_only)}{space}:{space}{text}" for name, text in texts.items()
    )
    try:
        body = f"{space}{{{space}{written}{space}}}{space}".encode()
    except UnicodeEncodeError:
        # Half a surrogate pair can only be written with an escape.
        return
    found = parse_members(body)
    assert found.texts == texts
    assert found.values == members


@given(st.binary(max_size=200))
def test_no_bytes_do_worse_than_a_400(body: bytes) -> None:
    try:
        parse_members(body)
    except ApiError as error:
        assert isinstance(error, BadRequest | Invalid)


@given(st.text(alphabet='{}[]":,\\ 1eE.-+tfnNaI\n\0', max_size=60))
def test_what_is_taken_is_what_the_standard_library_takes(text: str) -> None:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        expected = json.loads(text, parse_constant=refuse)
    except ValueError:
        expected = None
    try:
        found = parse_members(text.encode()).values
    except ApiError as error:
        twice = "more than once" in str(error)
        assert twice or not isinstance(expected, dict), (text, error)
    else:
        assert found == expected or not text.strip(" \t\n\r")


def refusal(body: bytes) -> dict[str, Any]:
    with pytest.raises(ApiError) as caught:
        parse_members(body)
    assert isinstance(caught.value, BadRequest | Invalid)
    return dict(caught.value.body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": NaN}', b'{"a": Infinity}', b'{"a": {"b": [-Infinity]}}', b'{"a": 1,}', b'{"a" 1}', b"{a: 1}", b'{"a": 1} 2', b"{",
        b'{"a": "\n"}', b'{"a": 01}', b'{"a": .5}', b"{'a': 1}", b'{"a": 1', b"\xef\xbb\xbf\xef\xbb\xbf{}", b'{"a": "\xff"}', b"nul",
    ],
)  # fmt: skip
def test_what_is_not_json_is_told_with_its_place(body: bytes) -> None:
    assert str(refusal(body)["detail"]).startswith("JSON parse error - ")


def test_what_is_no_object_is_told_as_such() -> None:
    assert refusal(b"[1]") == {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}
    assert refusal(b'"x"') == {"non_field_errors": ["Invalid data. Expected a dictionary, but got str."]}


def test_a_member_that_comes_twice_is_an_error_and_inside_of_a_value_it_is_none() -> None:
    assert refusal(b'{"a": 1, "b": 2, "a": 1}') == {"a": ["This member is given more than once."]}
    assert parse_members(b'{"a": {"x": 1, "x": 2}}').texts == {"a": '{"x": 1, "x": 2}'}


def test_an_empty_body_has_no_members() -> None:
    assert parse_members(b"").values == {}
    assert parse_members(b" \n").values == {}


@pytest.mark.parametrize(
    "number", ["1" * 5000, "-" + "9" * 20000, "1e999999", "1." + "3" * 9000, "12345678901234567890.10"]
)
def test_numbers_of_any_length_keep_their_spelling(number: str) -> None:
    assert parse_members(f'{{"a": {{"n": {number}}}}}'.encode()).texts["a"] == f'{{"n": {number}}}'


def test_deep_nesting_is_allowed_so_far_and_no_further() -> None:
    def nested(levels: int) -> bytes:
        return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"

    assert parse_members(nested(MAX_NESTING))
    assert "nested" in refusal(nested(MAX_NESTING + 1))["detail"]
    assert "nested" in refusal(b'{"a":' * 30_000)["detail"]
    brackets_in_a_string = b'{"a": "' + b"[{" * 1000 + b'\\"["}'
    assert len(parse_members(brackets_in_a_string).values["a"]) == 2002


@pytest.mark.parametrize(
    "body", [b'{"a":"' + b"\\" * 60_001, b'"a\\' * 20_000, b'"' * 60_000, b'{"a":"' + b"x" * 60_000]
)
def test_nothing_takes_quadratic_time(body: bytes) -> None:
    began = time.process_time()
    refusal(body)
    assert time.process_time() - began < 1


def test_each_object_of_an_array_keeps_its_texts() -> None:
    items = parse_items('[ {"a": 1.50, "b": "[{"} ,\n{}, {"c":[{"d": 1}]}\t]')
    assert [item.texts for item in items] == [{"a": "1.50", "b": '"[{"'}, {}, {"c": '[{"d": 1}]'}]
    assert parse_items("[]") == parse_items("[ ]") == []
    with pytest.raises(OfItem) as caught:
        parse_items('[1, {"a": 1}, {"a": 1, "a": 2}]')
    assert list(caught.value.problems) == [0, 2]

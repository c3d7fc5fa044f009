"""JSON of which the text counts: a member exactly as it was written. Pure.

No JSON library gives back what stood in the text: number spelling, order and repeated members are lost with parsing. So the
text of a member is cut out of the text around it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

# Python refuses to convert longer ones, to protect servers from the time that takes.
_LONGEST_INT = 4_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(r"[ \t\r\n]*")


def _int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INT else float(digits)


_DECODER = json.JSONDecoder(parse_int=_int)


def parse(text: str) -> Any:
    """What a JSON text means.

    Raises:
        ValueError: it is none.
    """
    return _DECODER.decode(text)


def write(value: object) -> str:
    """JSON with its letters as they are, but for what UTF-8 cannot spell: half a surrogate pair.

    Raises:
        TypeError, ValueError: the value has no JSON.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def texts(given: Mapping[str, object]) -> dict[str, str]:
    """The members of an object as JSON texts, without those that are None.

    Raises:
        TypeError, ValueError: a value has no JSON.
    """
    return {name: write(value) for name, value in given.items() if value is not None}


def members(text: str) -> dict[str, str]:
    """The members of an object by name, each as the text that it is; of a repeated one the last.

    Raises:
        ValueError: it is no object.
    """
    return dict(_members(text))


def items(text: str) -> list[str]:
    """The items of an array, each as the text that it is.

    Raises:
        ValueError: it is no array.
    """
    return list(_items(text))


def _members(text: str) -> Iterator[tuple[str, str]]:
    at = _expect(text, 0, "{")
    while text[at : at + 1] != "}":
        name, at = _DECODER.raw_decode(text, at)
        begin = _expect(text, at, ":")
        _, end = _DECODER.raw_decode(text, begin)
        yield str(name), text[begin:end]
        at = _next(text, end, "}")


def _items(text: str) -> Iterator[str]:
    at = _expect(text, 0, "[")
    while text[at : at + 1] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield text[at:end]
        at = _next(text, end, "]")


def _next(text: str, at: int, close: str) -> int:
    """Where the next member or item begins, or the closing bracket stands."""
    at = _skip(text, at)
    return at if text[at : at + 1] == close else _expect(text, at, ",")


def _expect(text: str, at: int, sign: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != sign:
        raise ValueError(f"expected {sign} at {at}")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at

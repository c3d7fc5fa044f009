"""Reading a JSON object out of a request, keeping each member's text as the client wrote it.

A JSON library would forget how a number was spelt and in which order members came, and ``client_metadata`` has to come
back byte for byte. So the outermost object is scanned here, and the standard decoder is used for the values.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from services.api.contract.errors import NON_FIELD, ApiError, BadRequest, Invalid, OfItem

MAX_NESTING = 500
"""Levels of arrays and objects; many readers of our answers give up a little beyond, and so does Python."""

_SPACE = re.compile(r"[ \t\n\r]*")
# A string without an end matches to the end of the text: looking for a later one would take quadratic time.
_STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
# Python refuses to turn more digits than this into an int; such a number is valid JSON all the same.
_LONGEST_INT = 4000


@dataclass(frozen=True)
class Members:
    """The members of a JSON object: their values, and the text of each value exactly as received."""

    values: dict[str, Any]
    texts: dict[str, str]


def parse_members(body: bytes) -> Members:
    """Read a JSON object strictly: UTF-8, no NaN or Infinity, no member twice. An empty body is an empty object.

    Raises:
        BadRequest, Invalid: it is malformed.
    """
    try:
        # Some editors put a byte order mark before the text.
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _malformed(f"the body is not UTF-8 at byte {error.start}") from None
    if not text.strip(" \t\n\r"):
        return Members({}, {})
    _check_nesting(text)
    try:
        return _Scanner(text).object()
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg}: line {error.lineno} column {error.colno} (char {error.pos})") from None
    except RecursionError:
        raise _malformed("nested too deeply") from None


def parse_items(text: str) -> list[Members]:
    """The objects of an array, each as :func:`parse_members` reads one.

    Args:
        text: a JSON array, as a member's text is.

    Raises:
        OfItem: elements are no objects, or have a member twice.
    """
    decoder, at, items = json.JSONDecoder(parse_int=_int), 1, list[Members]()
    problems: dict[int, ApiError] = {}
    while True:
        at = _behind_space(text, at)
        if text[at] == "]":
            break
        _, end = decoder.raw_decode(text, at)
        try:
            items.append(_Scanner(text[at:end]).object())
        except ApiError as error:
            problems[len(items)] = error
            items.append(Members({}, {}))
        at = _behind_space(text, end)
        at += text[at] == ","
    if problems:
        raise OfItem(problems)
    return items


def _behind_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._decoder = json.JSONDecoder(parse_int=_int, parse_constant=self._refuse_constant)

    def object(self) -> Members:
        """The object that the whole text is."""
        self._skip_space()
        if self._peek() != "{":
            raise self._not_an_object()
        members = Members({}, {})
        twice: list[str] = []
        self._at += 1
        self._skip_space()
        if self._peek() == "}":
            self._at += 1
        else:
            while self._member(members, twice):
                pass
        self._skip_space()
        if self._at != len(self._text):
            self._fail("Extra data")
        if twice:
            raise Invalid({name: ["This member is given more than once."] for name in twice})
        return members

    def _member(self, members: Members, twice: list[str]) -> bool:
        """Read one member; whether another one follows."""
        if self._peek() != '"':
            self._fail("Expecting property name enclosed in double quotes")
        name = self._value()
        self._skip_space()
        if self._peek() != ":":
            self._fail("Expecting ':' delimiter")
        self._at += 1
        self._skip_space()
        begin = self._at
        value = self._value()
        if name in members.values:
            twice.append(name)
        members.values[name], members.texts[name] = value, self._text[begin : self._at]
        self._skip_space()
        separator = self._peek()
        if separator not in (",", "}"):
            self._fail("Expecting ',' delimiter")
        self._at += 1
        self._skip_space()
        return separator == ","

    def _value(self) -> Any:
        value, self._at = self._decoder.raw_decode(self._text, self._at)
        return value

    def _not_an_object(self) -> ApiError:
        value = self._value()
        self._skip_space()
        if self._at != len(self._text):
            self._fail("Extra data")
        return Invalid({NON_FIELD: [f"Invalid data. Expected a dictionary, but got {type(value).__name__}."]})

    def _refuse_constant(self, name: str) -> NoReturn:
        self._fail(f"{name} is not a JSON value")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip_space(self) -> None:
        self._at = _behind_space(self._text, self._at)

    def _fail(self, message: str) -> NoReturn:
        raise json.JSONDecodeError(message, self._text, self._at)


def _check_nesting(text: str) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        piece = match[0]
        if piece in "[{":
            depth += 1
            if depth > MAX_NESTING:
                raise _malformed(f"nested more than {MAX_NESTING} levels deep")
        elif piece in "]}":
            depth -= 1


def _int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INT else float(digits)


def _malformed(reason: str) -> ApiError:
    return BadRequest(f"JSON parse error - {reason}")

"""From a request's members to its model, or to the messages that say what is wrong, worded as Django REST framework words them.

All mistakes of a body are reported at once.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import ValidationError

from services.api.contract.encryption import DrmOptions
from services.api.contract.errors import ApiError, Invalid, OfItem
from services.api.contract.json_body import Members
from services.api.contract.members import Request
from services.api.contract.models import context
from shared.addresses import AddressPolicy
from shared.payload import json_text

R = TypeVar("R", bound=Request)
MOST_MESSAGES = 20
_INNER_MEMBERS = frozenset(DrmOptions.model_fields)
_LONGEST_ECHO = 100
_OF_EMPTY = {
    "missing": "This field is required.",
    "string_too_short": "This field may not be blank.",
    "too_short": "This list may not be empty.",
}
_INTEGER, _NUMBER, _TEXT = "A valid integer is required.", "A valid number is required.", "Not a valid string."
_OF_TYPES = {
    "string_type": _TEXT,
    "string_unicode": _TEXT,
    "bool_type": "Must be a valid boolean.",
    "int_type": _INTEGER,
    "int_parsing": _INTEGER,
    "int_from_float": _INTEGER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "extra_forbidden": "Unknown field.",
}
_LIMITS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("greater than or equal to", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("less than or equal to", "le"),
}
# As pydantic lists them: 'low', 'normal' or 'high'.
_CHOICE = re.compile("'([^']*)'")


def validate(model: type[R], members: Members, *, policy: AddressPolicy) -> R:
    """The request that the members are.

    Raises:
        Invalid: a map from each wrong member to its messages.
    """
    messages: dict[str, list[str]] = {}
    found: R | None = None
    # Sorted out here: a name with half a surrogate pair, which JSON can spell, would make pydantic refuse to look further.
    known = {name: value for name, value in members.values.items() if name in model.model_fields}
    for name in members.values.keys() - known.keys():
        _add(messages, name, unknown_name(name, list(model.model_fields), "field"))
    try:
        found = model.model_validate(known, context=context(members.texts, policy=policy))
    except ValidationError as error:
        for item in error.errors(include_url=False):
            # The other side of an optional member: null is no value that a client may send.
            if item["type"] != "none_required":
                field, inner = str(item["loc"][0]), _place(item)
                _add(messages, field, inner + _message(item))
                if item["type"] == "literal_error" and item["input"] is not None:
                    _add(messages, field, inner + these_are_choices(_choices(item)))
    for field, texts in model.across_fields(members.values).items():
        for text in texts:
            _add(messages, field, text)
    if messages or found is None:
        raise Invalid(messages)
    return found


def validate_items(model: type[R], items: Sequence[Members], *, policy: AddressPolicy) -> list[R]:
    """The requests that several objects are.

    Raises:
        OfItem: for each that is wrong a map from each wrong member to its messages.
    """
    found: list[R] = []
    problems: dict[int, ApiError] = {}
    for number, members in enumerate(items):
        try:
            found.append(validate(model, members, policy=policy))
        except Invalid as error:
            problems[number] = error
    if problems:
        raise OfItem(problems)
    return found


def is_not_a_choice(value: Any) -> str:
    """The message for a value that is none of those allowed."""
    return f'"{_echo(value)}" is not a valid choice.'


def these_are_choices(choices: Sequence[str]) -> str:
    """The message that goes with it."""
    return f"Choose from {', '.join(choices)}."


def unknown_name(name: str, known: list[str], what: str) -> str:
    """The message for a name that means nothing here, with the one that was probably meant."""
    near = get_close_matches(name.lower(), known, n=1)
    return f"Unknown {what}." + (f' Did you mean "{near[0]}"?' if near else f" Known are {', '.join(sorted(known))}.")


def _add(messages: dict[str, list[str]], field: str, text: str) -> None:
    texts = messages.setdefault(field, [])
    if text not in texts and len(texts) < MOST_MESSAGES:
        texts.append(text)


def _message(item: Any) -> str:
    kind, value, details = item["type"], item.get("input"), item.get("ctx", {})
    if kind == "string_too_short" and details["min_length"] > 1:
        return f"Ensure this field has at least {details['min_length']} characters."
    if kind in _OF_EMPTY:
        return _OF_EMPTY[kind]
    if kind in ("too_long", "string_too_long"):
        what, units = ("list", "items") if kind == "too_long" else ("field", "characters")
        return f"Ensure this {what} has no more than {details['max_length']} {units}."
    if value is None:
        return "This field may not be null."
    match kind:
        case "literal_error":
            return is_not_a_choice(value)
        case "list_type":
            return f'Expected a list of items but got type "{type(value).__name__}".'
        case "dict_type" | "model_type":
            return f'Expected a dictionary of items but got type "{type(value).__name__}".'
        case _ if kind in _LIMITS:
            words, limit = _LIMITS[kind]
            return f"Ensure this value is {words} {details[limit]}."
        case _:
            # Where it is no type of pydantic's, it is a sentence of ours, made for the reader already.
            return _OF_TYPES.get(kind) or str(item["msg"])


def _place(item: Any) -> str:
    """Which member of an object is meant, if the field is one; the items of a list are told by their values."""
    within = item["loc"][1:]
    if item["type"] == "extra_forbidden":
        return f"{_echo(within[-1])}: "
    # Between the members pydantic names the types that it has tried.
    return "".join(f"{name}: " for name in within if name in _INNER_MEMBERS)


def _choices(item: Any) -> list[str]:
    return _CHOICE.findall(item["ctx"]["expected"])


def _echo(value: Any) -> str:
    text = value if isinstance(value, str) else json_text(value)
    return text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}…"

"""The table of error codes: every code that is used stands in it, and every row is used."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.bus.outages import given_up
from shared.errors import ERRORS, PUBLIC_WORDING, MillraceError, Outage, PermanentError, TransientError

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for folder in ("services", "shared") for path in sorted((ROOT / folder).rglob("*.py"))]
RAISED = {"PermanentError", "TransientError"}


def texts(node: ast.AST) -> Iterator[str]:
    """The texts that an expression may have as its value, those that it compares with left out."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=other):
            yield from texts(body)
            yield from texts(other)


def used_codes(tree: ast.Module) -> Iterator[str]:
    """What errors are raised with, what is assigned to ``code``, and what events say as ``code=``."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in RAISED:
                yield from texts(first)
            case ast.Call(func=ast.Name(id=name), keywords=keywords) if name in RAISED | {"Failed"}:
                for keyword in keywords:
                    if keyword.arg == "code":
                        yield from texts(keyword.value)
            case ast.Assign(targets=[ast.Name(id="code")], value=value):
                yield from texts(value)


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    """All modules of the services and of what they share."""
    return {path: ast.parse(path.read_text()) for path in SOURCES}


def test_every_code_that_is_used_is_in_the_table(trees: dict[Path, ast.Module]) -> None:
    unknown = [(path, code) for path, tree in trees.items() for code in used_codes(tree) if code not in ERRORS]
    assert unknown == []


def test_every_row_of_the_table_is_used(trees: dict[Path, ast.Module]) -> None:
    found = {
        node.value
        for path, tree in trees.items()
        if path.name != "errors.py" or path.parent.name != "shared"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert sorted(set(ERRORS) - found) == []


def test_the_public_wording_of_an_unreadable_input() -> None:
    assert PermanentError("input_unreachable").message == "The specified input URL does not exist or cannot be accessed"


@pytest.mark.parametrize("code", ERRORS)
def test_messages_are_whole_sentences_for_people(code: str) -> None:
    row = ERRORS[code]
    assert row.who in ("you", "operator")
    for sentence in (row.cause, row.remedy):
        assert sentence[0].isupper()
        assert sentence.endswith((".", '"].')) or sentence == PUBLIC_WORDING


def test_an_error_carries_code_sentence_and_detail() -> None:
    error = TransientError("encode_stalled", "no progress for 300 s")
    assert isinstance(error, MillraceError)
    assert (error.code, error.message, error.detail) == (
        "encode_stalled",
        f"The encoder made no progress and was stopped. {ERRORS['encode_stalled'].remedy}",
        "no progress for 300 s",
    )
    assert str(error) == "encode_stalled: no progress for 300 s"
    own = PermanentError("input_not_video", "it is a PDF", cause="The input is a PDF document.", remedy="Send a video.")
    assert own.message == "The input is a PDF document. Send a video."


@pytest.mark.parametrize("code", ERRORS)
def test_every_message_ends_with_what_to_do(code: str) -> None:
    exact = TransientError(code, cause="Something more exact has happened.")
    lasting = given_up(Outage(code), 7200)
    assert exact.message == f"Something more exact has happened. {ERRORS[code].remedy}"
    for error in (PermanentError(code), lasting):
        # The published sentence stands alone, so what to do is in the table of codes.
        assert (
            error.message == PUBLIC_WORDING
            if code == "input_unreachable"
            else error.message.endswith(ERRORS[code].remedy)
        )


def test_whoever_words_an_error_more_exactly_words_it_in_sentences(trees: dict[Path, ast.Module]) -> None:
    worded = [
        (path.name, node.lineno, keyword.value)
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg in ("cause", "remedy") and isinstance(keyword.value, (ast.Constant, ast.JoinedStr))
    ]
    assert worded
    for name, line, value in worded:
        last = value.values[-1] if isinstance(value, ast.JoinedStr) else value
        assert isinstance(last, ast.Constant) and str(last.value).endswith("."), f"{name}:{line}"


def test_a_code_that_is_not_in_the_table_is_a_bug() -> None:
    with pytest.raises(KeyError):
        PermanentError("no_such_code")

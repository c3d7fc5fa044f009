"""What is kept of a receiver's answer: bounded, readable, and without secrets."""

import html
import json
from urllib.parse import quote

import pytest

from services.notifier.response_head import BODY_BYTES, MASK, MOST_HEADERS, Secrets, response_head
from shared.deliveries import ResponseHead

SECRET = "whsec_a/b+c=&\"'"


def head_of(body: bytes, *headers: tuple[str, str], secret: str = SECRET) -> ResponseHead:
    secrets = Secrets([secret])
    return response_head(headers, body[: secrets.window], secrets, whole=len(body) < secrets.window)


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        html.escape(SECRET),
    ],
)
def test_a_secret_that_is_repeated_is_masked_however_it_is_spelled(spelled: str) -> None:
    head = head_of(f"You sent {spelled}!".encode(), ("X-Echo", f"={spelled}="))
    assert head.body == f"You sent {MASK}!"
    assert [(header.name, header.value) for header in head.headers] == [("X-Echo", f"={MASK}=")]


@pytest.mark.parametrize("before", range(BODY_BYTES - len(SECRET) - 1, BODY_BYTES + 1))
def test_no_part_of_a_secret_is_left_where_the_end_cuts_through_it(before: int) -> None:
    head = head_of(b"." * before + SECRET.encode() * 2)
    assert head.truncated
    assert ("." * before + MASK * 2).startswith(head.body)
    assert before <= len(head.body) <= BODY_BYTES


def test_masks_that_are_longer_than_the_secret_stay_within_the_bound() -> None:
    assert len(head_of(b"a" * BODY_BYTES, secret="a").body) <= BODY_BYTES


def test_without_a_secret_nothing_is_masked() -> None:
    assert head_of(b"fine", secret="") == ResponseHead(body="fine")


@pytest.mark.parametrize("name", ["Set-Cookie", "authorization", "X-Api-Key", "x-streams-token", "webhook-signature"])
def test_headers_that_look_confidential_are_hidden(name: str) -> None:
    (header,) = head_of(b"", (name, "a=b")).headers
    assert (header.name, header.value) == (name, MASK)


def test_headers_are_bounded() -> None:
    headers = head_of(b"", *[("n" * 1000, "v" * 1000)] * 100).headers
    assert len(headers) == MOST_HEADERS
    assert {(len(header.name), len(header.value)) for header in headers} == {(64, 256)}


def test_what_is_no_text_can_be_kept_as_text() -> None:
    assert head_of("é\n\t".encode() + b"\0\x1b[2J\xff").body == "é\n\t\ufffd\ufffd[2J\ufffd"
    cut = head_of("é".encode() * BODY_BYTES)
    assert (cut.body, cut.truncated) == ("é" * (BODY_BYTES // 2), True)
    assert head_of(b"." + "é".encode() * BODY_BYTES).body[-1] == "é"

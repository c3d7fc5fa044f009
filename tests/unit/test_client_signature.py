"""Webhooks as the client verifies them, held against the library of Standard Webhooks and against what the notifier signs."""

import base64
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from millrace_client import SignatureInvalid, UnexpectedAnswer, verify
from millrace_client import sign as sign_as_the_server
from services.notifier.signature import sign
from tests.unit.test_client_core import job_json

NOW = 1_780_000_000
SECRET = "whsec_" + base64.b64encode(b"k" * 30).decode()
BODY = json.dumps(job_json(status="completed")).encode()


def headers(signature: str, *, at: int = NOW) -> dict[str, str]:
    return {
        "Webhook-Id": "msg_1", "Webhook-Timestamp": str(at), "Webhook-Signature": signature,
        "X-Streams-Event": "transcoding_job.completed",
    }  # fmt: skip


@pytest.fixture
def signed() -> dict[str, str]:
    """As the library signs."""
    at = datetime.fromtimestamp(NOW, UTC)
    return headers(Webhook(SECRET).sign("msg_1", at, BODY.decode()))


@pytest.mark.parametrize("body", [BODY, BODY.decode()])
def test_what_the_library_signs_is_good(signed: dict[str, str], body: bytes | str) -> None:
    message = verify(signed, body, SECRET, now=NOW)
    assert (message.id, message.event, message.job.status) == ("msg_1", "transcoding_job.completed", "completed")


@pytest.mark.parametrize("secret", [SECRET, "plain", "é", "whsec_not base64!", "whsec_"])
def test_what_the_notifier_signs_is_good(secret: str) -> None:
    assert verify(headers(sign(secret, "msg_1", NOW, BODY)), BODY, secret, now=NOW).job.id == "5KQfnXCg8Qh"


def test_secrets_are_replaced_one_by_one(signed: dict[str, str]) -> None:
    assert verify(signed, BODY, ["new", SECRET], now=NOW)
    both = headers(f"v1,{base64.b64encode(b'x').decode()} v2,abc v1,!!! {signed['Webhook-Signature']}")
    assert verify(both, BODY, SECRET, now=NOW)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_message_is_good_for_five_minutes(signed: dict[str, str], seconds: int) -> None:
    assert verify(signed, BODY, SECRET, now=NOW + seconds)
    with pytest.raises(SignatureInvalid, match="another time"):
        verify(signed, BODY, SECRET, now=NOW + seconds * 1.01)
    assert verify(signed, BODY, SECRET, now=NOW + 2 * seconds, tolerance=600)


def test_the_clock_is_that_of_the_machine(signed: dict[str, str]) -> None:
    with pytest.raises(SignatureInvalid, match="another time"):
        verify(signed, BODY, SECRET)


@pytest.mark.parametrize(
    ("change", "body", "secret"),
    [
        ({}, BODY + b" ", SECRET),
        ({}, BODY, "other"),
        ({}, BODY, ""),
        ({}, BODY, []),
        ({"Webhook-Id": "msg_2"}, BODY, SECRET),
        ({"Webhook-Timestamp": str(NOW + 1)}, BODY, SECRET),
        ({"Webhook-Timestamp": "soon"}, BODY, SECRET),
        ({"Webhook-Timestamp": "9" * 400}, BODY, SECRET),
        ({"Webhook-Signature": ""}, BODY, SECRET),
        ({"Webhook-Signature": "v1,é"}, BODY, SECRET),
    ],
)
def test_what_was_changed_is_refused(
    signed: dict[str, str], change: dict[str, str], body: bytes, secret: str | list[str]
) -> None:
    with pytest.raises(SignatureInvalid):
        verify(signed | change, body, secret, now=NOW)


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_no_header_may_be_missing(signed: dict[str, str], name: str) -> None:
    del signed[name]
    with pytest.raises(SignatureInvalid, match=name.lower()):
        verify(signed, BODY, SECRET, now=NOW)


def test_what_is_signed_and_no_job() -> None:
    with pytest.raises(UnexpectedAnswer):
        verify(headers(sign(SECRET, "msg_1", NOW, b"\xff")), b"\xff", SECRET, now=NOW)


@pytest.mark.parametrize("secret", [SECRET, "plain", "whsec_not base64!"])
def test_what_tests_of_receivers_sign_is_what_the_server_signs(secret: str) -> None:
    assert sign_as_the_server(secret, "msg_1", NOW, BODY) == sign(secret, "msg_1", NOW, BODY)

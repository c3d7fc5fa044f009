"""Whether a request to a webhook is from Millrace: Standard Webhooks 1.0.0. Pure."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from millrace_client.errors import SignatureInvalid, UnexpectedAnswer
from millrace_client.models import Job

TOLERANCE_SECONDS = 300.0
"""How old or how far ahead a request may be: five minutes, as the libraries of Standard Webhooks have it."""

_PREFIX = "whsec_"


@dataclass(frozen=True)
class WebhookMessage:
    """A request to a webhook whose signature is good.

    Attributes:
        id: the same on every attempt of one message: keep those that were worked off, to do nothing twice.
        event: ``transcoding_job.<status>``, or ``webhook.test`` with a sample job.
        job: as it was when its status changed.
    """

    id: str
    event: str
    job: Job


def verify(
    headers: Mapping[str, str],
    body: bytes | str,
    secret: str | Iterable[str],
    *,
    tolerance: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> WebhookMessage:
    """Check that a request to a webhook was signed with its secret, a short time ago, and read it.

    Args:
        headers: of the request, in any case, as every web framework gives them.
        body: exactly as it was received, before anything parsed it.
        secret: the webhook's ``secret_token``; several while one is being replaced by another.
        tolerance: seconds that the request's time may differ from now.
        now: seconds since 1970; the clock's time if left out.

    Raises:
        SignatureInvalid: it must not be believed.
        UnexpectedAnswer: it is signed, and no job.
    """
    found = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, stamp, signatures = (found[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise SignatureInvalid(f"The header {error.args[0]} is missing.") from None
    content = body.encode() if isinstance(body, str) else body
    _check_time(stamp, time.time() if now is None else now, tolerance)
    signed = f"{message_id}.{stamp}.".encode() + content
    secrets = [secret] if isinstance(secret, str) else list(secret)
    expected = [hmac.digest(_key(each), signed, hashlib.sha256) for each in secrets]
    # All are compared, so that the time tells nothing.
    good = [hmac.compare_digest(one, other) for one in _given(signatures) for other in expected]
    if not any(good):
        raise SignatureInvalid(
            "The signature is not that of this webhook's secret, or the body is not what was signed."
        )
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise UnexpectedAnswer("The body is not in UTF-8.") from None
    return WebhookMessage(message_id, found.get("x-streams-event", ""), Job.from_json(text))


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature`` of a request, for tests of receivers.

    Args:
        timestamp: seconds since 1970, as in ``webhook-timestamp``. message_id: as in ``webhook-id``.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def _check_time(stamp: str, now: float, tolerance: float) -> None:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 16):
        raise SignatureInvalid("The header webhook-timestamp is no number of seconds.")
    if abs(now - int(stamp)) > tolerance:
        raise SignatureInvalid(
            f"The request is of another time, by more than {tolerance:g} s. Is this machine's clock right?"
        )


def _given(signatures: str) -> list[bytes]:
    found = []
    for each in signatures.split():
        version, _, text = each.partition(",")
        if version == "v1":
            try:
                found.append(base64.b64decode(text, validate=True))
            except (binascii.Error, ValueError):
                continue
    return found


def _key(secret: str) -> bytes:
    """As Standard Webhooks has it after ``whsec_``; any other secret is the key itself."""
    if not secret:
        raise SignatureInvalid("The webhook's secret is empty: nothing can be verified with it.")
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True) or secret.encode()
        except (binascii.Error, ValueError):
            return secret.encode()
    return secret.encode()

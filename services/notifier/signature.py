"""Signing, as in Standard Webhooks 1.0.0. Pure."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from contextlib import suppress

_PREFIX = "whsec_"


def signing_key(secret_token: str) -> bytes:
    """The key that a webhook's secret token stands for.

    ``whsec_`` followed by base64 stands for the decoded bytes, as the specification has it and as its libraries expect; any
    other token stands for its own UTF-8 bytes.
    """
    if secret_token.startswith(_PREFIX):
        with suppress(ValueError):
            key = base64.b64decode(secret_token.removeprefix(_PREFIX), validate=True)
            return key or secret_token.encode()
    return secret_token.encode()


def sign_with_all(secret_tokens: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature``: a signature for each token, with spaces between. Receivers look for one that fits."""
    return " ".join(sign(token, message_id, timestamp, body) for token in secret_tokens)


def sign(secret_token: str, message_id: str, timestamp: int, body: bytes) -> str:
    """A signature: ``v1,<base64 of HMAC-SHA256 over id.timestamp.body>``."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(signing_key(secret_token), signed, hashlib.sha256)).decode()

"""Answers to NATS that asks who somebody is: signed JSON web tokens in its own form (NATS ADR-26).

The key is that of a NATS account, whose public half stands in the server's configuration as ``issuer``.
"""

import base64
import json
import os
import secrets
import time
from typing import Any

import nkeys  # type: ignore[import-untyped]
from pydantic import SecretStr

from shared.bus.permissions import Permissions

# The account of all users that have none of their own, which is that of Millrace's streams.
_ACCOUNT = "$G"
_HEAD = {"typ": "JWT", "alg": "ed25519-nkey"}
_VERSION = 2


def new_seed() -> str:
    """A new key, as the setting has it."""
    return str(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_ACCOUNT).decode())


class Issuer:
    """Signs with the key of an account.

    Args:
        seed: the private key as NATS writes it, ``SA…``.

    Raises:
        ValueError: it is none.
    """

    def __init__(self, seed: SecretStr) -> None:
        text = seed.get_secret_value().strip()
        try:
            self._key = nkeys.from_seed(text.encode())
            self.name: str = self._key.public_key.decode()
        except Exception as error:
            raise ValueError("must be the seed of an account of NATS, which begins with SA") from error
        if not text.startswith("SA"):
            raise ValueError("must be the seed of an account of NATS, which begins with SA")

    def admission(self, request: dict[str, Any], username: str, permissions: Permissions) -> bytes:
        """The answer that lets a user in, with these permissions and nothing else.

        Args:
            request: the claims of the question.
        """
        user = {
            "sub": request["nats"]["user_nkey"],
            "aud": _ACCOUNT,
            "name": username,
            "nats": {
                "type": "user",
                "version": _VERSION,
                "pub": {"allow": list(permissions.publish)},
                "sub": {"allow": list(permissions.subscribe)},
                # NATS keeps no limits of those that it asks about: see connections.py and replay.py.
                "subs": -1,
                "data": -1,
                "payload": -1,
                "allowed_connection_types": ["STANDARD", "WEBSOCKET"],
            },
        }
        return self._answer(request, {"jwt": self._signed(user)})

    def refusal(self, request: dict[str, Any], reason: str) -> bytes:
        """The answer that keeps somebody out. The reason is for the server's log."""
        return self._answer(request, {"error": reason})

    def _answer(self, request: dict[str, Any], content: dict[str, str]) -> bytes:
        claims = {
            "sub": request["nats"]["user_nkey"],
            "aud": request["nats"]["server_id"]["id"],
            "nats": {"type": "authorization_response", "version": _VERSION} | content,
        }
        return self._signed(claims).encode()

    def _signed(self, claims: dict[str, Any]) -> str:
        whole = claims | {"iss": self.name, "iat": int(time.time()), "jti": secrets.token_hex(16)}
        text = f"{_encoded(_json(_HEAD))}.{_encoded(_json(whole))}"
        return f"{text}.{_encoded(self._key.sign(text.encode()))}"


def claims_of(token: bytes) -> dict[str, Any]:
    """What a token says. Its signature is not looked at: only the server may publish where the question comes from.

    Raises:
        ValueError: it is no token.
    """
    try:
        middle = token.split(b".")[1]
        found = json.loads(base64.urlsafe_b64decode(middle + b"=" * (-len(middle) % 4)))
    except (IndexError, ValueError) as error:
        raise ValueError("no token") from error
    if not isinstance(found, dict):
        raise ValueError("no token")
    return found


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

"""Sealing: authenticated encryption of credentials at rest and on the bus."""

import hmac
import os
from contextlib import suppress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class SealBroken(Exception):
    """No key opens this: it was sealed with a key that is gone, for another purpose, or it was tampered with."""


class Sealer:
    """Seals and opens small texts with AES-256-GCM.

    Args:
        keys: 32 bytes each; the first one seals, all of them open, so that a key can be replaced without a pause.
    """

    def __init__(self, keys: list[bytes]) -> None:
        self._ciphers = [AESGCM(key) for key in keys]
        self._roots = [hmac.digest(key, b"derived keys", "sha256") for key in keys]

    def seal(self, text: str, purpose: str) -> bytes:
        """Encrypt. ``purpose`` (a job's subject, say) is authenticated with it: a sealed text is of no use elsewhere."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, text.encode(), purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> str:
        """Decrypt what was sealed for the same purpose.

        Raises:
            SealBroken: no key opens it.
        """
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode()).decode()
            except (InvalidTag, ValueError):
                continue
        raise SealBroken(f"no key opens the seal of {purpose}")

    def derived(self, purpose: str) -> tuple[bytes, ...]:
        """Keys of 32 bytes that follow from those that seal, for another purpose. The first one is that to sign with."""
        return tuple(hmac.digest(root, purpose.encode(), "sha256") for root in self._roots)

    def reseal(self, sealed: bytes, purpose: str) -> bytes | None:
        """The same text, sealed with the first key; None where it is already.

        Raises:
            SealBroken: no key opens it.
        """
        with suppress(InvalidTag, ValueError):
            self._ciphers[0].decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
            return None
        return self.seal(self.open(sealed, purpose), purpose)

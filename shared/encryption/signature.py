"""Requests for keys and licences as TPStreams has them signed. Pure.

The signature of a text is its SHA-1, padded to 32 bytes and encrypted by AES-CBC with a key and an initialization vector that
the organization shares with the server. It covers neither a time nor a number, so whoever has seen a signed request can send it
again: it proves who made the request once, and no more.
"""

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

_BLOCK_BITS = 128


@dataclass(frozen=True)
class SigningPair:
    """What an organization signs with: a key of 32 bytes, and an initialization vector of 16. ``repr`` shows neither."""

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)


def sign(text: bytes, pair: SigningPair) -> bytes:
    """The signature of a text, 32 bytes."""
    padder = PKCS7(_BLOCK_BITS).padder()
    # The scheme is not ours to choose.
    digest = hashlib.sha1(text).digest()  # noqa: S324
    padded = padder.update(digest) + padder.finalize()
    encryptor = Cipher(algorithms.AES(pair.key), modes.CBC(pair.iv)).encryptor()
    return encryptor.update(padded) + encryptor.finalize()

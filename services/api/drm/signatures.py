"""Requests for keys and licences as TPStreams has them signed. Pure.

The signature of a text is its SHA-1, padded to 32 bytes and encrypted by AES-CBC with a key and an initialization vector that
the organization shares with the server. It covers neither a time nor a number, so whoever has seen a signed request can send it
again: it proves who made the request once, and no more.
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

KEY_BYTES, IV_BYTES = 32, 16
_BLOCK_BITS = 128
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_TO_STANDARD = str.maketrans("-_ ", "+/+")


@dataclass(frozen=True)
class SigningPair:
    """What an organization signs with: a key of 32 bytes, and an initialization vector of 16. ``repr`` shows neither."""

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)


def new_pair() -> SigningPair:
    """A random pair."""
    return SigningPair(os.urandom(KEY_BYTES), os.urandom(IV_BYTES))


def sign(text: bytes, pair: SigningPair) -> bytes:
    """The signature of a text, 32 bytes."""
    padder = PKCS7(_BLOCK_BITS).padder()
    # The scheme is not ours to choose.
    digest = hashlib.sha1(text).digest()  # noqa: S324
    padded = padder.update(digest) + padder.finalize()
    encryptor = Cipher(algorithms.AES(pair.key), modes.CBC(pair.iv)).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def is_signed(text: bytes, signature: str, pair: SigningPair) -> bool:
    """Whether a signature, base64, is that of a text. It takes the same time wherever they differ."""
    try:
        given = from_base64(signature)
    except ValueError:
        given = b""
    return hmac.compare_digest(given, sign(text, pair))


def from_base64(text: str) -> bytes:
    """What is meant by base64 in either alphabet, padded or not. A blank is a + that a query string has lost.

    Raises:
        ValueError: it is no base64.
    """
    standard = text.strip("\r\n").translate(_TO_STANDARD)
    if not _BASE64.fullmatch(standard):
        raise ValueError("is not base64")
    bare = standard.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        raise ValueError("is not base64") from None

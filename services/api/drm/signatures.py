"""Whether a request is signed, in whichever form it comes. Pure; the scheme is in :mod:`shared.encryption.signature`."""

import base64
import binascii
import hmac
import os
import re

from shared.encryption.signature import SigningPair, sign

KEY_BYTES, IV_BYTES = 32, 16
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_TO_STANDARD = str.maketrans("-_ ", "+/+")


def new_pair() -> SigningPair:
    """A random pair."""
    return SigningPair(os.urandom(KEY_BYTES), os.urandom(IV_BYTES))


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

"""Signed addresses of AES-128 keys.

They are signed with the keys that they lead to, all of a content's together: whoever could forge one has them already, no further
secret has to be kept, and addresses go on working when an organization's signing key is rotated. Not with one of several: players
keep the key of sound less carefully, and it would lead to that of the pictures.
"""

import hmac
import time
from collections.abc import Sequence

from shared.encryption.keys import ContentKey

_MOST_DIGITS = 11


def in_future(seconds: int) -> int:
    """The instant in so many seconds, as seconds since 1970."""
    return int(time.time()) + seconds


def has_expired(expires: int) -> bool:
    """Whether an instant is over."""
    return expires <= time.time()


def read_instant(text: str) -> int | None:
    """An instant as an address has it, in seconds since 1970; None where the text is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


def signature(org: str, content_id: str, expires: int, keys: Sequence[ContentKey]) -> str:
    """The signature of an address, HMAC-SHA256 in hexadecimal.

    Args:
        expires: seconds since 1970. keys: all of the content.
    """
    text = f"aes_key of {org} {content_id} until {expires}"
    return hmac.digest(b"".join(key.key for key in keys), text.encode(), "sha256").hex()


def is_signed(org: str, content_id: str, expires: str, given: str, keys: Sequence[ContentKey]) -> bool:
    """Whether an address was signed by us. It takes the same time wherever they differ."""
    instant = read_instant(expires)
    if instant is None:
        return False
    return hmac.compare_digest(given.encode(), signature(org, content_id, instant, keys).encode())


def parameters(org: str, content_id: str, expires: int, keys: Sequence[ContentKey]) -> str:
    """The query of a signed address."""
    return f"expires={expires}&signature={signature(org, content_id, expires, keys)}"

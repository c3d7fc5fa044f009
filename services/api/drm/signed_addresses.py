"""Signed addresses of AES-128 keys.

They are signed with the key that they lead to: whoever could forge one has the key already, no further secret has to be kept, and
addresses go on working when an organization's signing key is rotated.
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


def signature(org: str, content_id: str, expires: int, keys: Sequence[ContentKey]) -> str:
    """The signature of an address, HMAC-SHA256 in hexadecimal.

    Args:
        expires: seconds since 1970. keys: of the content, the first of which signs.
    """
    text = f"aes_key of {org} {content_id} until {expires}"
    return hmac.digest(keys[0].key, text.encode(), "sha256").hex()


def is_signed(org: str, content_id: str, expires: str, given: str, keys: Sequence[ContentKey]) -> bool:
    """Whether an address was signed by us. It takes the same time wherever they differ."""
    if not (expires.isascii() and expires.isdecimal() and len(expires) <= _MOST_DIGITS):
        return False
    return hmac.compare_digest(given.encode(), signature(org, content_id, int(expires), keys).encode())


def parameters(org: str, content_id: str, expires: int, keys: Sequence[ContentKey]) -> str:
    """The query of a signed address."""
    return f"expires={expires}&signature={signature(org, content_id, expires, keys)}"

"""What is kept of a receiver's answer, for its owner to look at: the beginning, without secrets. Pure.

Receivers answer with what they like. Some repeat the request, with the secret token in it; a header may set a session.
"""

import codecs
import html
import json
import re
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, quote, urlsplit

from shared.deliveries import ResponseHead, ResponseHeader

BODY_BYTES = 4096
MOST_HEADERS = 32
NAME_LETTERS = 64
VALUE_LETTERS = 256
MASK = "<hidden>"
# Shorter values in the query of an address are words such as a version's; masking them would leave nothing readable.
SECRET_LETTERS = 6
_CONFIDENTIAL = re.compile(r"auth|cookie|credential|key|passw|secret|session|signature|token", re.IGNORECASE)
_decoder = codecs.getincrementaldecoder("utf-8")
_UNPRINTABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Secrets:
    """What must not be shown, in the spellings that servers give to what they repeat: as in JSON, URLs and HTML.

    Attributes:
        window: how many bytes of a body have to be known, so that no secret is overlooked that the end cuts through.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        spelled = {spelling for secret in secrets if secret for spelling in _spellings(secret)}
        # The longest first: a shorter one may be the beginning of it.
        in_order = sorted((spelling.encode() for spelling in spelled), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, in_order))) if in_order else None
        self.window = BODY_BYTES + max(map(len, in_order), default=1)

    def masked(self, text: bytes, most: int) -> bytes:
        """The first bytes of a text, with a mark in the place of each secret, also of one that goes on beyond them."""
        if self._pattern is None:
            return text[:most]
        shown, at = [], 0
        for found in self._pattern.finditer(text):
            if found.start() >= most:
                break
            shown += [text[at : found.start()], MASK.encode()]
            at = found.end()
        return b"".join([*shown, text[at:most]])[:most]


def secrets_in(url: str) -> list[str]:
    """What may be a secret in the address of a webhook: the values in its query."""
    return [value for _, value in parse_qsl(urlsplit(url).query) if len(value) >= SECRET_LETTERS]


def response_head(headers: Sequence[tuple[str, str]], body: bytes, secrets: Secrets, *, whole: bool) -> ResponseHead:
    """The beginning of an answer.

    Args:
        body: the first :attr:`Secrets.window` bytes of it, or what came of them.
        whole: it is all of the body.
    """
    return ResponseHead(
        headers=tuple(_header(name, value, secrets) for name, value in headers[:MOST_HEADERS]),
        body=_text(secrets.masked(body, BODY_BYTES)),
        truncated=len(body) > BODY_BYTES or not whole,
    )


def _header(name: str, value: str, secrets: Secrets) -> ResponseHeader:
    shown = MASK if _CONFIDENTIAL.search(name) else _masked(value, VALUE_LETTERS, secrets)
    return ResponseHeader(name=_masked(name, NAME_LETTERS, secrets), value=shown)


def _masked(text: str, most: int, secrets: Secrets) -> str:
    return _text(secrets.masked(text.encode(errors="surrogateescape"), most))


def _text(shown: bytes) -> str:
    """As text, without half a letter at its end; what is no text, as in a picture, reads as U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", _decoder(errors="replace").decode(shown))


def _spellings(secret: str) -> set[str]:
    in_json = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    in_json |= {spelling.replace("/", "\\/") for spelling in in_json}
    in_urls = {quote(secret, safe=safe) for safe in ("", "/", "/+=")} | {quote(secret, safe="").replace("%20", "+")}
    in_urls |= {re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), spelling) for spelling in in_urls}
    return {secret, html.escape(secret), *in_json, *in_urls}

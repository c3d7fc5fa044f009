"""The body of a request: read within a time and a size, decompressed by us, and parsed.

aiohttp would decompress too, but answers what it cannot read in plain text, or not at all.
"""

import asyncio
import re
import zlib

from aiohttp import web

from services.api.contract.errors import BadRequest, UnsupportedEncoding, UnsupportedMediaType
from services.api.contract.json_body import Members, parse_members
from services.api.http.answers import BodyTimeout

BODY_SECONDS = 30.0
_JSON = re.compile(r"application/(?:[\w.-]+\+)?json", re.IGNORECASE)
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
ENCODINGS = ("gzip", "deflate", "identity")
"""What a body may be encoded as."""


async def read_body(request: web.Request, *, any_type: bool = False, most: int | None = None) -> tuple[bytes, Members]:
    """The body of a request as bytes, and its members.

    Args:
        any_type: whatever its ``Content-Type`` says; players call their JSON octets.
        most: bytes that it may have, where that is more than the server takes as a rule.

    Raises:
        UnsupportedMediaType, UnsupportedEncoding, BadRequest, Invalid, BodyTimeout, HTTPRequestEntityTooLarge: it is none.
    """
    given = request.headers.get("Content-Type")
    # Some clients name a type where they send nothing.
    if not any_type and given and request.can_read_body and not _JSON.fullmatch(given.partition(";")[0].strip()):
        raise UnsupportedMediaType(given.partition(";")[0].strip()[:100])
    body = await read_bytes(request.clone(client_max_size=max(most, request.client_max_size)) if most else request)
    return body, parse_members(body)


async def read_bytes(request: web.Request) -> bytes:
    """The body of a request, whatever it is.

    Raises:
        UnsupportedEncoding, BadRequest, BodyTimeout, HTTPRequestEntityTooLarge: it did not come, or not whole.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower() or "identity"
    if encoding.removeprefix("x-") not in ENCODINGS:
        raise UnsupportedEncoding(encoding[:100], ENCODINGS)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.read()
    except TimeoutError:
        raise BodyTimeout() from None
    except (web.RequestPayloadError, ConnectionError) as error:
        raise BadRequest(f"The body did not arrive as its headers announce it: {error}.") from None
    if encoding != "identity" and body:
        body = _decompressed(body, encoding, request.client_max_size)
    return body


def _decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    # Many send deflate without the header that it should have.
    wbits = _GZIP if encoding.endswith("gzip") else _ZLIB if body[0] & 0x0F == zlib.DEFLATED else _RAW
    decoder = zlib.decompressobj(wbits)
    try:
        # One byte more than allowed tells that there is more; the rest is never made.
        plain = decoder.decompress(body, limit + 1)
    except zlib.error:
        raise BadRequest(f"The body is not {encoding}, which its Content-Encoding says.") from None
    if len(plain) > limit:
        raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=len(plain))
    if not decoder.eof or decoder.unused_data:
        raise BadRequest(f"The body ends {'too early' if not decoder.eof else 'before its last byte'} as {encoding}.")
    return plain

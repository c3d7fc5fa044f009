"""Gets bytes from where a presentation lies: over HTTP, or out of a folder."""

import asyncio
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

import aiohttp

from checker.playlist import ByteRange

_TIMEOUT_SECONDS = 60
# Nothing that a presentation is made of is near to that.
_MOST_BYTES = 512 * 1024 * 1024


class Unreadable(Exception):
    """An address does not answer; the text says why."""


class Source(Protocol):
    """Where bytes come from."""

    async def read(self, address: str, part: ByteRange | None = None) -> bytes:
        """All bytes at an address, or a part of them.

        Raises:
            Unreadable: there are none, or fewer than that.
        """


class Files:
    """Addresses are paths."""

    async def read(self, address: str, part: ByteRange | None = None) -> bytes:
        """Read a file."""
        # A reference in a playlist is percent-encoded, the path on the command line is not.
        paths = [Path(address), Path(unquote(address.partition("?")[0]))]
        try:
            path = next(path for path in paths if path.is_file())
            return await asyncio.to_thread(_read, path, part)
        except StopIteration:
            raise Unreadable("no such file") from None
        except (OSError, ValueError) as error:
            raise Unreadable(getattr(error, "strerror", None) or str(error)) from error


class Http:
    """Addresses are URLs."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def read(self, address: str, part: ByteRange | None = None) -> bytes:
        """GET an address; anything but 200, and 206 for a part, is a failure."""
        headers = {"Range": f"bytes={part[0]}-{sum(part) - 1}"} if part else {}
        try:
            async with self._session.get(
                address, headers=headers, timeout=aiohttp.ClientTimeout(_TIMEOUT_SECONDS)
            ) as response:
                if response.status != (206 if part else 200):
                    raise Unreadable(f"HTTP status {response.status}")
                body = bytearray()
                async for piece in response.content.iter_any():
                    body += piece
                    if len(body) > _MOST_BYTES:
                        raise Unreadable(f"more than {_MOST_BYTES} bytes")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unreadable(f"{type(error).__name__}: {error}") from error
        return _whole_part(bytes(body), part)


def _read(path: Path, part: ByteRange | None) -> bytes:
    if path.stat().st_size > _MOST_BYTES and part is None:
        raise Unreadable(f"more than {_MOST_BYTES} bytes")
    with path.open("rb") as file:
        if part is None:
            return file.read()
        file.seek(part[0])
        return _whole_part(file.read(min(part[1], _MOST_BYTES)), part)


def _whole_part(body: bytes, part: ByteRange | None) -> bytes:
    if part and len(body) != part[1]:
        raise Unreadable(f"{len(body)} of {part[1]} bytes at {part[0]}")
    return body

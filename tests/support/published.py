"""A finished output in a folder: what the uploader would bring to a bucket, from parts that are encoded."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from services.uploader.finish import init_segments, playlists
from services.uploader.manifest.assembly import assemble
from services.uploader.manifest.playlists import multivariant_playlist
from services.uploader.manifest.presentation import Presentation
from services.uploader.manifest.protection import protected
from services.uploader.upload import objects_of
from shared.encryption.keys import ContentKey
from shared.encryption.protection import Protection
from shared.media.layout import MULTIVARIANT
from tests.support.encrypted import encrypted_files
from tests.support.parts import ORG, Encoded


def publish(
    made: Encoded, folder: Path, protection: Protection | None = None, keys: Sequence[ContentKey] = ()
) -> Presentation:
    """Write everything that a completed job leaves but the sheet for the seek bar.

    Args:
        protection: how it is encrypted, with which keys. With ``cbcs``, the parts have to be made for that.
    """
    stills = [still for result in made.results.values() for still in result.stills]
    assembled = assemble(made.plan, {name: result.tables for name, result in made.results.items()}, stills)
    stream = protected(assembled, protection)
    by_kid = {key.kid.hex(): key for key in keys}
    folders = {one.folder: by_kid[one.key.kid] for one in stream.all_renditions if one.key}
    documents = init_segments(stream) | playlists(stream) | {MULTIVARIANT: multivariant_playlist(stream).encode()}
    for path, body in documents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(body)
    for name, result in made.results.items():
        part = made.space.part(ORG, made.job, name)
        for piece in objects_of(result):
            (folder / piece.path).parent.mkdir(parents=True, exist_ok=True)
            clear = {piece.path: (part / piece.path).read_bytes()}
            written = encrypted_files(clear, folders, protection.scheme) if protection else clear
            (folder / piece.path).write_bytes(written[piece.path])
    return stream


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[BaseTestServer]:
    """The folder over HTTP, readable from other origins as players need it."""

    async def allow(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Access-Control-Allow-Origin"] = "*"

    app = web.Application()
    app.on_response_prepare.append(allow)
    app.router.add_static("/", folder)
    async with TestServer(app) as server:
        yield server

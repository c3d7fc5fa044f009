"""A finished output in a folder: what the uploader would bring to a bucket, from parts that are encoded."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from services.uploader.finish import init_segments, playlists
from services.uploader.manifest.assembly import assemble
from services.uploader.manifest.playlists import multivariant_playlist
from services.uploader.manifest.presentation import Presentation
from services.uploader.upload import objects_of
from shared.media.layout import MULTIVARIANT
from tests.support.parts import ORG, Encoded


def publish(made: Encoded, folder: Path) -> Presentation:
    """Write everything that a completed job leaves but the sheet for the seek bar."""
    stills = [still for result in made.results.values() for still in result.stills]
    stream = assemble(made.plan, {name: result.tables for name, result in made.results.items()}, stills)
    documents = init_segments(stream) | playlists(stream) | {MULTIVARIANT: multivariant_playlist(stream).encode()}
    for path, body in documents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(body)
    for name, result in made.results.items():
        part = made.space.part(ORG, made.job, name)
        for piece in objects_of(result):
            (folder / piece.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(part / piece.path, folder / piece.path)
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

"""A job whose keys come from a key service: separate ones for sound and pictures, told of in the service's own words."""

from base64 import b64decode
from pathlib import Path
from uuid import UUID

import aiohttp
from pydantic import SecretStr

from services.api.database.pool import Database, close_pool, open_pool
from services.api.drm.providers import KeyProviders
from shared.encryption.providers import KeyProvider, SealedStore
from shared.sealing import Sealer
from shared.settings import decode_keys
from stack.client import Client
from stack.credentials import load_or_create
from tests.support.jobs import complete, short_clip
from tests.support.key_services import key_service
from tests.support.stack import RunningStack
from tests.support.stream import attributes, decode_complaints, get_text


async def choose(stack: RunningStack, provider: KeyProvider) -> None:
    """Have the organization's keys come from there."""
    sealer = Sealer(decode_keys(SecretStr(load_or_create(stack.layout.state).seal_key)))
    pool = await open_pool(SecretStr(stack.env["DATABASE_URL"]), 1)
    try:
        assert await KeyProviders(Database(pool), sealer).set(stack.env["ORG_ID"], provider)
    finally:
        await close_pool(pool)


async def test_keys_of_a_service_that_speaks_speke(stack: RunningStack, tmp_path: Path) -> None:
    async with Client(stack.env) as client, aiohttp.ClientSession() as http, key_service() as server:
        await client.upload(short_clip(), "spoken/source.mp4")
        await choose(stack, server.speke)
        body = {
            "input_url": client.location("spoken/source.mp4", with_keys=True),
            "output_path": client.location("spoken/out/", with_keys=True),
            "resolutions": ["144p"],
            "enable_drm": True,
            "drm": {"keys": "separate", "systems": ["widevine", "fairplay", "playready"]},
        }
        try:
            made = await complete(stack, body, tmp_path)
        finally:
            await choose(stack, SealedStore())
        assert made.job["outputs"]["compliance"]["ok"], made.job["outputs"]["compliance"]
        manifest = await get_text(http, client.playback_url(made.job["outputs"]["dash"]))
        kids = set()
        for variant in (*made.stream.variants, *made.stream.audio):
            lines = [attributes(line) for line in variant.media.text.splitlines() if line.startswith("#EXT-X-KEY:")]
            (kid,) = {line["X-SERVICE"] for line in lines}
            assert [line["URI"].partition(":")[0] for line in lines] == ["data", "skd", "data"]
            assert lines[1]["URI"] == server.skd(kid)
            # What stands in the box of the service is in the playlist, the manifest and the track.
            box = lines[0]["URI"].partition(",")[2]
            assert f">{box}</pssh>" in manifest
            file = tmp_path / f"{variant.media.url.rpartition('/')[0].rpartition('/')[2]}.mp4"
            assert b64decode(box) in file.read_bytes()
            assert f'cenc:default_KID="{UUID(kid)}"' in manifest
            assert decode_complaints(file, key=server.secret("key", str(UUID(kid)))) == ""
            kids.add(kid)
        assert len(kids) == 2, "one for sound, one for pictures"
        assert len(server.asked) == 1

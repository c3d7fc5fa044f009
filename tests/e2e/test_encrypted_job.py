"""A job with ``enable_drm``, from the request to what lies in the bucket; its key is found nowhere on the way."""

import asyncio
import json
from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from checker.judging import encryption
from checker.reading import read_presentation
from checker.report import as_text
from checker.rules import apply_rules
from shared.encryption.keys import ContentKey
from stack.client import Client
from tests.support.jobs import short_clip, stored_key
from tests.support.observe import everything_on_the_bus
from tests.support.stack import RunningStack
from tests.support.stream import decode_complaints, download, read_stream
from tests.support.walk import below

CONTENT = "cf6c30dd-50c1-492e-8234-4ea3e139da1d"


async def test_an_encrypted_job_and_its_key(stack: RunningStack, tmp_path: Path) -> None:
    async with Client(stack.env) as client, aiohttp.ClientSession() as http:
        await client.upload(short_clip(), "encrypted/source.mp4")
        posted = await client.post_job(_body(client))
        key = await stored_key(stack, CONTENT.replace("-", ""))
        watch = Watch(stack, key)
        watching = asyncio.create_task(watch.forever())
        try:
            async for state in client.follow(posted["id"]):
                watch.look_at("the job", json.dumps(state).encode())
            job = await client.job(posted["id"])
        finally:
            watching.cancel()
        assert (
            job["status"] == "Completed" and job["enable_drm"] and job["drm_content_id"] == CONTENT.replace("-", "")
        ), job
        assert job["outputs"]["compliance"]["ok"], job["outputs"]["compliance"]
        master = client.playback_url(job["outputs"]["master"])
        stream = await read_stream(http, master)
        for media in (stream.variants[0].media, stream.audio[0].media):
            file = await download(http, media, tmp_path)
            assert decode_complaints(file, key=key.key) == ""
            assert decode_complaints(file, key=bytes(16)) != ""
    report = apply_rules(await read_presentation(master))
    assert not {rule.id for rule in encryption.RULES} & set(report.violated), as_text(report)
    await watch.look_everywhere()
    assert watch.places > 100
    assert not watch.found
    # It would have seen one.
    (tmp_path / "planted").write_bytes(b"x" + key.key.hex().upper().encode())
    watch.look_below(tmp_path)
    assert len(watch.found) == 1


def _body(client: Client) -> dict[str, Any]:
    return {
        "input_url": client.location("encrypted/source.mp4", with_keys=True),
        "output_path": client.location("encrypted/out/", with_keys=True),
        "resolutions": ["144p", "240p"],
        "enable_drm": True,
        "drm": {"content_id": CONTENT, "systems": ["widevine", "fairplay", "playready", "clearkey"]},
    }


class Watch:
    """Looks for a key in every form that it may have got into."""

    def __init__(self, stack: RunningStack, key: ContentKey) -> None:
        self._stack = stack
        self._forms = _forms(key.key)
        self.places = 0
        self.found: list[str] = []

    def look_at(self, place: str, content: bytes) -> None:
        """Note the place where it is in the content."""
        self.places += 1
        self.found += [f"{form!r} in {place}" for form in self._forms if form in content]

    async def forever(self) -> None:
        """Look at all processes and at the work space, again and again."""
        while True:
            await asyncio.to_thread(self._processes_and_work_space)
            await asyncio.sleep(0.1)

    def look_below(self, folder: Path) -> None:
        """Look into every file below a folder."""
        self._files(*below(folder))

    def _processes_and_work_space(self) -> None:
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                self._files(folder / "cmdline", folder / "environ")
        self.look_below(self._stack.state_dir / "workspace")

    async def look_everywhere(self) -> None:
        """Look at all that is left: files of the state folder (logs, bus, database, bucket), messages, rows."""
        await asyncio.to_thread(self.look_below, self._stack.state_dir)
        for message in await everything_on_the_bus(self._stack.env["NATS_URL"]):
            self.look_at("a message", message)

    def _files(self, *paths: Path) -> None:
        for path in paths:
            # Processes end, parts are taken away, and of a socket there is nothing to read.
            with suppress(OSError):
                if path.is_file():
                    self.look_at(str(path), path.read_bytes())


def _forms(key: bytes) -> list[bytes]:
    text = key.hex()
    encoded = {b64encode(key).rstrip(b"="), urlsafe_b64encode(key).rstrip(b"=")}
    return [key, text.encode(), text.upper().encode(), *encoded]

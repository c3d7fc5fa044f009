"""A credential is found nowhere in clear: stream, database, logs, command lines, responses. Nor can anybody else read files."""

import asyncio
import json
import os
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from services.fetcher.download.download import SOURCE_FILE
from shared.cage.cage import detect
from shared.settings import SERVICES
from stack.client import Client
from stack.credentials import load_or_create
from stack.program import postgres_command
from tests.support.jobs import Api, short_clip
from tests.support.observe import command_lines, eventually, everything_on_the_bus
from tests.support.receiver import WebhookReceiver
from tests.support.sources import source_server
from tests.support.stack import RunningStack
from tests.support.walk import below

# Words that can be looked for; the second one stands in a signed query string.
WRONG = "Zs3cr3t/W0rd+thatIsWrong="
SIGNATURE = "5ignatur3ThatNobodyMaySee"


async def test_credentials_stay_out_of_sight(stack: RunningStack) -> None:
    clip, env = short_clip(), stack.env
    secret = env["S3_SECRET_KEY"]
    seen: list[str] = []
    modes: dict[Path, int] = {}
    async with WebhookReceiver() as receiver, source_server() as source, Client(env) as client:
        address = source.host(clip.name, clip.read_bytes())
        signed = f"{address}?X-Amz-Signature={SIGNATURE}&token={SIGNATURE}"
        good = client.location("secret/{}/", with_keys=True)
        watching = asyncio.gather(_command_lines(seen), _modes(stack.state_dir, modes))
        _, hook = await Api(env).call("POST", "webhooks/", {"url": receiver.url})
        try:
            jobs = [
                await client.post_job(_body(signed, good.format("success"))),
                await client.post_job(_body(f"{source.url('x.mp4')}?Signature={SIGNATURE}", good.format("failure"))),
                await client.post_job(
                    _body(signed, good.format("denied").replace(quote(secret, safe=""), quote(WRONG, safe="")))
                ),
                await client.post_job(_body(signed, good.format("cancelled"))),
            ]
            await Api(env).cancel(jobs[3]["id"])
            for job in jobs:
                async for state in client.follow(job["id"]):
                    seen.append(json.dumps(state))
                seen += [json.dumps(job), json.dumps(await client.job(job["id"]))]
            await eventually(
                lambda: len({letter.job["id"] for letter in receiver.payloads}) == len(jobs), "webhooks of all jobs"
            )
            seen += [letter.body.decode() for letter in receiver.payloads]
        finally:
            watching.cancel()
            await Api(env).call("DELETE", f"webhooks/{hook['id']}/")
    # Where PostgreSQL has to run as another user, that one may pass through, and no more.
    assert modes.pop(stack.state_dir) & 0o077 in (0, 0o001)
    kinds = {path.relative_to(stack.state_dir).parts[0] for path in modes}
    assert kinds >= {"log", "nats", "postgres", "run", "s3", "workspace"}
    assert any(path.name == SOURCE_FILE for path in modes)
    assert not {str(path): oct(mode) for path, mode in modes.items() if mode & 0o077}
    seen += [message.decode(errors="replace") for message in await everything_on_the_bus(env["NATS_URL"])]
    seen.append(dump_database(env["DATABASE_URL"]))
    seen += [path.read_text(errors="replace") for path in stack.layout.log.iterdir()]
    assert len(seen) > 50
    for word in (secret, WRONG, SIGNATURE, quote(secret, safe=""), quote(WRONG, safe="")):
        assert not [text[max(0, text.index(word) - 200) :][:400] for text in seen if word in text]


async def test_services_have_no_secrets_in_their_environment(stack: RunningStack) -> None:
    """Other users cannot open it at all; root can, and finds nothing."""
    kept = load_or_create(stack.state_dir)
    secrets = [kept.seal_key, kept.bus_issuer_seed, *(stack.env[name] for name in ("S3_SECRET_KEY", "DATABASE_URL"))]
    secrets += [kept.nats_url(stack.layout, service) for service in SERVICES]
    for name in stack.layout.services:
        shown = Path(f"/proc/{stack.pid(name)}/environ")
        if os.geteuid():
            with pytest.raises(PermissionError):
                shown.read_bytes()
            continue
        text = shown.read_bytes().decode(errors="replace")
        assert not [word for word in ("MILLRACE", *secrets) if word in text]


async def test_what_holds_ffmpeg_is_shown_where_it_runs(stack: RunningStack) -> None:
    missing = sorted(detect().missing)
    async with aiohttp.ClientSession() as session:
        for name in stack.layout.services:
            address = f"http://127.0.0.1:{stack.layout.health_ports.get(name, stack.layout.ports[name])}"
            async with session.get(f"{address}/health/ready") as response:
                shown = (await response.json()).get("cage")
            async with session.get(f"{address}/metrics") as response:
                told = 'millrace_cage_wall{wall="seccomp"}' in await response.text()
            if name.partition("-")[0] in ("fetcher", "transcoder"):
                assert (shown, told) == ({"mode": "on", "missing": missing}, True)
            else:
                assert (shown, told) == (None, False)


def dump_database(url: str) -> str:
    """All of the database as text."""
    return subprocess.run([postgres_command("pg_dump"), url], capture_output=True, text=True, check=True).stdout


def _body(source: str, output: str) -> dict[str, Any]:
    return {"input_url": source, "output_path": output, "resolutions": ["144p"]}


async def _modes(folder: Path, modes: dict[Path, int]) -> None:
    """Collects the permissions of a folder and of all that is in it."""

    def collect() -> None:
        for path in [folder, *below(folder)]:
            with suppress(FileNotFoundError):
                modes[path] = stat.S_IMODE(path.lstat().st_mode)

    while True:
        await asyncio.to_thread(collect)
        await asyncio.sleep(0.2)


async def _command_lines(seen: list[str]) -> None:
    """Collects the command lines of what runs, all the time, but for the S3 server's own, which holds its key."""
    while True:
        seen += [text for text in command_lines() if "rclone" not in text and text not in seen]
        await asyncio.sleep(0.05)

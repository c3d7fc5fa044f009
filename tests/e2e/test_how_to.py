"""What the tutorial and the how-tos say to type works as typed, and their four receivers of webhooks tell genuine from forged."""

import asyncio
import base64
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from standardwebhooks import Webhook

from millrace_client import AsyncMillrace
from tests.support.observe import eventually
from tests.support.pages import PAGES, ROOT, follow, steps
from tests.support.ports import free_port
from tests.support.stack import RunningStack

FOLLOWED = [page for page in PAGES if steps(page).commands]
WEBHOOKS = ROOT / "docs/how-to/webhooks.md"
# What is changed about a request, and what is answered.
CHANGES = {
    "nothing": 204,
    "two signatures": 204,
    "unsigned": 401,
    "secret": 401,
    "id": 401,
    "body": 401,
    "old": 401,
}
# What each program prints at its end, or on the way to it.
PRINTED = {
    "tutorial": [
        "completed",
        "/tutorial/out/video.m3u8",
        "#EXTM3U",
        "480p/video.m3u8",
        "no object of that name",
        "exit status 1",
    ],
    "webhooks": ["webhook.test", "delivered"],
    "from-tpstreams": ["Completed s3://millrace/from-tpstreams/video.m3u8"],
    "from-cron-and-ffmpeg": ["handed over: lesson-7", "lesson-7.mp4"],
    "s3-providers": ["completed"],
    "players": ["Access-Control-Allow-Origin: *"],
}
# A program, what it needs beside itself, and how it is started.
RECEIVERS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "receive.py": (["python3"], ["python3", "-c", "pass"]),
    "receive.mjs": (["node"], ["node", "--version"]),
    "receive.php": (["php", "-S", "127.0.0.1:{port}"], ["php", "--version"]),
    "receive.rb": (["ruby"], ["ruby", "-e", "require 'webrick'"]),
}


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.stem)
def test_what_a_page_says_to_type(page: Path, stack: RunningStack, tmp_path: Path) -> None:
    printed = follow(page, tmp_path, stack, port=free_port())
    missing = [text for text in PRINTED[page.stem] if text not in printed]
    assert not missing, printed


@pytest.mark.parametrize("name", RECEIVERS)
async def test_a_receiver_tells_genuine_from_forged(name: str, stack: RunningStack, tmp_path: Path) -> None:
    start, needs = RECEIVERS[name]
    if not shutil.which(start[0]) or subprocess.run(needs, capture_output=True, check=False).returncode != 0:
        pytest.skip(f"{name} needs {' '.join(needs)} to work: on Debian, apt-get install php-cli ruby ruby-webrick")
    script = tmp_path / name
    script.write_text(steps(WEBHOOKS).files[name])
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [word.format(port=port) for word in (*start, str(script))]
    env = stack.env
    async with (
        AsyncMillrace(env["API_URL"], env["ORG_ID"], env["API_TOKEN"]) as millrace,
        aiohttp.ClientSession() as session,
    ):
        hook = await millrace.webhooks.create(url)
        async with _serving(command, port, hook.secret_token):
            await millrace.webhooks.test(hook)
            # Of Millrace's own request; then of others, whose signatures another library makes.
            await eventually(lambda: _delivered(millrace, hook), "the test event is delivered")
            for change, expected in CHANGES.items():
                headers, body = _signed(hook.secret_token, change)
                async with session.post(url, data=body, headers=headers) as answer:
                    assert answer.status == expected, change
        await millrace.webhooks.delete(hook)


def _signed(secret: str, change: str) -> tuple[dict[str, str], bytes]:
    """A request to a webhook with one thing wrong."""
    at = datetime.now(UTC) - timedelta(minutes=6 if change == "old" else 0)
    body = b'{"id": "5KQfnXCg8Qh", "note": "\xc3\xa9"}'
    signature = Webhook(base64.b64encode(b"another").decode() if change == "secret" else secret).sign(
        "m1", at, body.decode()
    )
    headers = {
        "webhook-id": "m2" if change == "id" else "m1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": f"v1,AAAA {signature}" if change == "two signatures" else signature,
        "x-streams-event": "transcoding_job.completed",
        "content-type": "application/json",
    }
    if change == "unsigned":
        del headers["webhook-signature"]
    return headers, body + b" " if change == "body" else body


async def _delivered(millrace: AsyncMillrace, hook: Any) -> bool:
    return [one.response_status async for one in millrace.webhooks.deliveries(hook)] == [204]


@asynccontextmanager
async def _serving(command: Sequence[str], port: int, secret: str) -> AsyncIterator[None]:
    environment = os.environ | {"WEBHOOK_SECRET": secret, "PORT": str(port)}
    server = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        await eventually(lambda: _answers(port), f"{command[0]} listens")
        yield
    finally:
        server.terminate()
        await server.wait()


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True

"""Looks at a running stack from outside: the events of a job, its files, its processes."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import nats
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError
from pydantic import SecretStr

from shared.bus.connection import connect
from shared.bus.joblog import JobLog
from shared.events import Event, Recorded
from stack import processes


async def job_events(nats_url: str, org: str, job: str) -> list[Event]:
    """All events of a job in the log's order."""
    return [item.event for item in await recorded(nats_url, org, job)]


async def recorded(nats_url: str, org: str, job: str) -> list[Recorded]:
    """All events of a job with their places in the log."""
    client = await connect(SecretStr(nats_url), "observer")
    try:
        return await JobLog(client).read(org, job)
    finally:
        await client.close()


def files_of(state_dir: Path, org: str, job: str) -> list[Path]:
    """What lies in the work space for a job."""
    folder = state_dir / "workspace" / org / job
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def command_lines() -> list[str]:
    """Command lines of all processes on the machine that have one."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            text = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if text:
            found.append(text)
    return found


def processes_with(text: str) -> list[str]:
    """Command lines that have a text in them."""
    return [line for line in command_lines() if text in line]


def children() -> set[int]:
    """Pids of the processes that this one has started. Not those of its children: a database forks whenever it likes."""
    return set(processes.children(os.getpid()))


async def eventually(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]],
    what: str,
    *,
    seconds: float = 60,
    every: float = 0.05,
) -> float:
    """Wait until a condition holds; returns the seconds that took.

    Raises:
        AssertionError: it does not hold within ``seconds``.
    """
    begun = time.monotonic()
    while True:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return time.monotonic() - begun
        assert time.monotonic() - begun < seconds, f"not within {seconds} s: {what}"
        await asyncio.sleep(every)


async def everything_on_the_bus(url: str) -> list[bytes]:
    """Payload and headers of every message of every stream but the queue of webhooks."""
    client = await nats.connect(url)
    found: list[bytes] = []
    try:
        js = client.jetstream()
        for info in await js.streams_info():
            name = str(info.config.name)
            subscription = (
                await js.pull_subscribe(">", stream=name, config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL))
                if name != "WEBHOOKS"
                else None
            )
            if subscription is None:
                continue
            left = info.state.messages
            while left > 0:
                try:
                    batch = await subscription.fetch(min(left, 200), timeout=2)
                except (TimeoutError, NotFoundError):
                    break
                left -= len(batch)
                found += [message.data + repr(message.headers).encode() for message in batch]
    finally:
        await client.close()
    return found

"""Looks at a running stack from outside: the events of a job, its files, its processes."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from pydantic import SecretStr

from shared.bus.connection import connect
from shared.bus.joblog import JobLog
from shared.events import Event, Recorded
from stack.processes import descendants


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
    own = os.getpid()
    return {stat.pid for stat in descendants(own) if stat.parent == own}


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

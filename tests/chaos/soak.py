"""Many tiny jobs without faults, and what each service takes meanwhile: ``python -m tests.chaos.soak``, behind ``make soak``.

That is its memory, and the number of series that it tells Prometheus.
"""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import asyncpg

from services.api.accounts import directory
from stack.client import Client
from stack.credentials import Credentials
from tests.support.clips import made
from tests.support.receiver import WebhookReceiver
from tests.support.sources import source_server
from tests.support.stack import RunningStack, running_stack

SAMPLES = 5
"""At the start, and after each quarter of the jobs."""

ALLOWED_SHARE, ALLOWED_MIB = 0.1, 5.0
"""How much a service may grow in the second half of the jobs. In the first it fills caches and pools that have a bound."""

ALLOWED_SERIES = 10
"""How many series a service may get in the second half: a status or an outcome that was not seen before."""

ORGANIZATIONS = 50
"""That share the jobs."""

_AT_ONCE = 12
_KIB = re.compile(r"VmRSS:\s+(\d+) kB")


@dataclass(frozen=True)
class Sample:
    """Resident memory of each service after so many jobs, in MiB, and how many series it tells."""

    jobs: int
    memory: dict[str, float]
    series: dict[str, int]


def growing(samples: Sequence[Sample]) -> list[str]:
    """The services that are not flat from the middle sample to the last, in sentences."""
    middle, last = samples[len(samples) // 2], samples[-1]
    more = [
        f"{name} has {last.series[name]} series after {last.jobs} jobs, and had {middle.series[name]} after {middle.jobs}"
        for name in last.series
        if last.series[name] > middle.series[name] + ALLOWED_SERIES
    ]
    return more + [
        f"{name} grew from {middle.memory[name]:.0f} to {last.memory[name]:.0f} MiB between {middle.jobs} and {last.jobs} jobs"
        for name in last.memory
        if last.memory[name] > middle.memory[name] * (1 + ALLOWED_SHARE) + ALLOWED_MIB
    ]


def table(samples: Sequence[Sample]) -> str:
    """Services × samples: MiB, and series."""
    titles = "".join(f"{f'{sample.jobs} jobs':>11}" for sample in samples)
    lines = [f"{'resident MiB':<14}{titles}"]
    for name in samples[0].memory:
        lines.append(f"{name:<14}" + "".join(f"{sample.memory[name]:>11.0f}" for sample in samples))
    lines.append(f"{'series':<14}{titles}")
    for name in samples[0].series:
        lines.append(f"{name:<14}" + "".join(f"{sample.series[name]:>11}" for sample in samples))
    return "\n".join(lines)


async def soak(jobs: int, folder: Path) -> list[Sample]:
    """Send so many jobs of a second of sound, of many organizations, through a stack of its own, a few at a time.

    Raises:
        AssertionError: a job did not complete, or a service was started again.
    """
    sound = made("second.m4a", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=1", "-c:a", "aac")
    samples: list[Sample] = []
    async with (
        running_stack(folder) as stack,
        WebhookReceiver() as receiver,
        source_server() as source,
        AsyncExitStack() as opened,
    ):
        url = source.host(sound.name, sound.read_bytes())
        environments = await _organizations(stack, min(ORGANIZATIONS, jobs))
        clients = [await opened.enter_async_context(Client(env)) for env in environments]
        for client in clients:
            await client.add_webhook(receiver.url)
        turns, done = asyncio.Semaphore(_AT_ONCE), 0
        pids = {name: stack.pid(name) for name in stack.layout.services}

        async def one(number: int) -> None:
            nonlocal done
            client = clients[number % len(clients)]
            async with turns:
                output = client.location(f"soak/{number:05d}/", with_keys=True)
                job = await client.post_job({"input_url": url, "output_path": output, "resolutions": ["audio"]})
                async for state in client.follow(str(job["id"])):
                    job = state
            assert job["status"].lower() == "completed", job
            done += 1
            if done % max(1, jobs // (SAMPLES - 1)) == 0 and len(samples) < SAMPLES:
                samples.append(_sample(stack, done))
                print(f"{done} of {jobs} jobs", flush=True)

        samples.append(_sample(stack, 0))
        async with asyncio.TaskGroup() as tasks:
            for number in range(jobs):
                tasks.create_task(one(number))
        assert pids == {name: stack.pid(name) for name in stack.layout.services}, "a service was started again"
    return samples


async def _organizations(stack: RunningStack, count: int) -> list[dict[str, str]]:
    """The ``env`` of so many new organizations, by which nobody can log in: the admin command takes a second for each."""
    found = []
    connection = await asyncpg.connect(stack.env["DATABASE_URL"])
    try:
        for number in range(count):
            token = Credentials().api_token
            name = f"soak-{number}"
            async with connection.transaction():
                code = await directory.bootstrap(connection, name=name, username=name, password_hash="", token=token)
            found.append(stack.env | {"ORG_ID": code, "API_TOKEN": token})
    finally:
        await connection.close()
    return found


def _sample(stack: RunningStack, jobs: int) -> Sample:
    memory = {name: _mebibytes(stack.pid(name)) for name in stack.layout.services}
    return Sample(jobs, memory, {name: _series(port) for name, port in stack.layout.health_ports.items()})


def _series(port: int) -> int:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return sum(not line.startswith(b"#") for line in answer.read().splitlines())


def _mebibytes(pid: int) -> float:
    found = _KIB.search(Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def main() -> int:
    """Run, and print the table; the exit status is 1 where a service is not flat."""
    jobs = int(os.environ.get("JOBS") or 2000)
    with tempfile.TemporaryDirectory(prefix="millrace-soak-") as folder:
        samples = asyncio.run(soak(jobs, Path(folder) / "state"))
    print(f"\n{table(samples)}\n")
    findings = growing(samples)
    print("\n".join(findings) or "No service grows.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

"""Fleets of up to 64 slots on one machine: real bus, api, uploaders and notifier, and encoders that sleep. ``make fleet``.

A film of two hours alone, and 500 jobs of all lengths at once, on 1, 4, 16 and 64 slots. The plans are those that the fetcher makes
of such sources, and windows, turns, leases and uploads are real; only downloads, probes and encodes are not. An encode takes a time
in proportion to its frames, so that an ideal fleet would take the same time of each size (:data:`IDEAL_SECONDS`).

Prints for each fleet the seconds from the first POST to the last end, the share of that time in which a slot was busy, and how many
times as fast as one slot that is, how often each part was delivered, and why it was put off.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from nats.aio.msg import Msg

from shared.bus.metrics import OutOfTurn
from shared.bus.topology import TRANSCODER
from shared.logs import configure_logs
from shared.metrics import REGISTRY
from tests.chaos.standins import Workload, fetcher, film, transcoder
from tests.support.api import SEAL_KEY, ApiProcess, Caller
from tests.support.s3 import S3Server, s3_server
from tests.support.servers import NatsServer, nats_server, postgres_server
from tests.support.service import Service
from tests.support.working import deliveries

SLOTS = (1, 4, 16, 64)
SLOTS_OF_A_PROCESS = 16
IDEAL_SECONDS = (120.0, 900.0)
"""What an ideal fleet would take: for the film, and for the mixed jobs, each of which costs the services something beside encodes."""

FILM_SECONDS = 7200
JOBS = 500
_MIX = ((0.6, 10, 60), (0.3, 60, 300), (0.1, 600, 1200))
"""Shares of the jobs, and the seconds that they last, from and to."""


@dataclass(frozen=True)
class Field:
    """What the simulated fetchers and transcoders stand on."""

    nats: NatsServer
    api: ApiProcess
    storage: str


@dataclass(frozen=True)
class Figures:
    """Of one run."""

    slots: int
    jobs: int
    parts: int
    wall: float
    worked: float
    deliveries: int
    put_off: Mapping[str, int]

    @property
    def busy(self) -> float:
        """Share of the slots' time in which they encoded."""
        return self.worked / (self.wall * self.slots)

    def __str__(self) -> str:
        return (
            f"{self.slots:>5} {self.jobs:>5} {self.parts:>6} {self.wall:>8.1f} {self.worked / self.parts:>12.2f}"
            f" {100 * self.busy:>6.1f} {self.busy * self.slots:>8.1f} {self.deliveries / self.parts:>11.2f}"
            f"  {', '.join(f'{reason} {count}' for reason, count in self.put_off.items() if count)}"
        )


HEAD = "slots  jobs  parts  seconds  s per part  busy %  speed-up  deliveries  put off for"


def mixed(count: int) -> list[int]:
    """Lengths of so many jobs in seconds, the same ones every time."""
    chance = random.Random(7)
    shares = [share for share, _, _ in _MIX]
    return [chance.randint(*chance.choices(_MIX, shares)[0][1:]) for _ in range(count)]


@contextmanager
def opened(folder: Path) -> Iterator[Field]:
    """Servers and services, with nothing to do yet."""
    space = folder / "space"
    space.mkdir()
    with nats_server() as nats, postgres_server() as postgres, s3_server() as s3:
        limits = {"max_active_jobs": 256, "max_active_per_organization": 256}
        with ApiProcess(nats_url=nats.url, database_url=postgres.new_database(), **limits) as api:
            common: dict[str, Any] = {"nats_url": nats.url, "workspace_url": space.as_uri(), "seal_keys": SEAL_KEY}
            uploaders = [Service("uploader", **common, slots=16) for _ in range(2)]
            with uploaders[0], uploaders[1], Service("notifier", **common):
                yield Field(nats, api, _storage(s3))


def _storage(s3: S3Server) -> str:
    return s3.address(s3.new_bucket())


async def run(field: Field, space: Path, slots: int, lengths: Sequence[int], ideal: float) -> Figures:
    """One fleet, one field of work, from the first POST to the last end."""
    workload = Workload(ideal * slots / sum(film(length)[1].work for length in lengths))
    account = field.api.account(f"fleet-{slots}-{len(lengths)}", field.storage)
    ended, statuses = asyncio.Event(), list[str]()
    bus = await field.nats.connect()

    async def hear(message: Msg) -> None:
        statuses.append(message.subject.rpartition(".")[2])
        if len(statuses) == len(lengths):
            ended.set()

    await bus.subscribe(f"feed.jobs.{account.org}.*.end.*", cb=hear)
    async with AsyncExitStack() as stack:
        caller = await stack.enter_async_context(Caller(field.api, account))
        await stack.enter_async_context(fetcher(field.nats.url, space, workload))
        for begin in range(0, slots, SLOTS_OF_A_PROCESS):
            count = min(SLOTS_OF_A_PROCESS, slots - begin)
            await stack.enter_async_context(transcoder(field.nats.url, space, workload, count))
        before, delivered = put_off(), await deliveries(bus)
        begun, gate = time.monotonic(), asyncio.Semaphore(8)

        async def post(number: int, length: int) -> None:
            body = {
                "input_url": "http://127.0.0.1:9/film.mp4",
                "output_path": f"s3://{field.storage.removeprefix('s3://').partition('/')[0]}/{account.org}/{number}/",
                "resolutions": ["240p"],
                "client_metadata": {"seconds": length},
            }
            async with gate:
                answer = await caller.call("POST", "transcoding_jobs/", body)
            assert answer.status == 201, answer.text

        await asyncio.gather(*(post(number, length) for number, length in enumerate(lengths)))
        await ended.wait()
        wall = time.monotonic() - begun
        delivered, reasons = await deliveries(bus) - delivered, put_off()
    await bus.close()
    assert set(statuses) == {"completed"}, statuses
    since = {reason: count - before[reason] for reason, count in reasons.items()}
    return Figures(slots, len(lengths), workload.parts, wall, workload.worked, delivered, since)


def put_off() -> Mapping[str, int]:
    """How many parts came out of turn so far, by reason: the transcoders are in this process."""
    counts: dict[str, int] = {}
    for reason in get_args(OutOfTurn):
        labels = {"consumer": TRANSCODER.name, "reason": reason}
        counts[reason] = int(REGISTRY.get_sample_value("millrace_work_put_off_total", labels) or 0)
    return counts


async def main() -> int:
    """Run all fleets and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.fleet")
    parser.add_argument("--slots", default=",".join(map(str, SLOTS)), help="sizes of the fleets, comma separated")
    parser.add_argument("--jobs", type=int, default=JOBS, help="how many mixed jobs")
    parser.add_argument(
        "--seconds", type=float, nargs=2, default=IDEAL_SECONDS, help="of an ideal fleet: film, mixed jobs"
    )
    parser.add_argument("--only", choices=("film", "mixed"), help="one of the two")
    options = parser.parse_args()
    configure_logs("fleet", "error")
    with tempfile.TemporaryDirectory(prefix="millrace-fleet-") as folder, opened(Path(folder)) as field:
        works = ("film", [FILM_SECONDS]), ("mixed", mixed(options.jobs))
        for (name, lengths), ideal in zip(works, options.seconds, strict=True):
            if options.only not in (None, name):
                continue
            print(f"{name}\n{HEAD}", flush=True)
            for slots in map(int, options.slots.split(",")):
                print(await run(field, Path(folder) / "space", slots, lengths, ideal), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

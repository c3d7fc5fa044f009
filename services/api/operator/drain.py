"""Workers: who they are and what they do, and how one is made to leave."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from nats.aio.client import Client
from pydantic import ValidationError

from services.api.projection.buckets import bucket_messages
from shared.bus.clock import bus_time
from shared.bus.errors import BusUnavailable
from shared.bus.roster import ENTRY, DrainOrder, Roster, Worker
from shared.bus.topology import WORKERS_BUCKET

_LOOK_SECONDS = 1.0


class NoSuchWorker(Exception):
    """No living worker fits what was asked for."""


@dataclass(frozen=True)
class Draining:
    """How far a drain is.

    Attributes:
        left: those that are at work still, as they were when they last wrote.
        drained: those that have finished: ended, or (where they stay) without anything to do.
        lost: those that have not written for too long: they have died, or are cut off from the bus.
    """

    left: tuple[Worker, ...]
    drained: tuple[Worker, ...]
    lost: tuple[Worker, ...]


async def known_workers(client: Client) -> list[Worker]:
    """All workers that have written within the last hour and have not ended in order, by service and host.

    When they have written is what the bus says: clocks of hosts may differ.

    Raises:
        BusUnavailable: the bus is out of reach, here and below.
    """
    found = []
    async for key, message in bucket_messages(client, WORKERS_BUCKET):
        if key.startswith(f"{ENTRY}."):
            with suppress(ValidationError):
                written = Worker.model_validate_json(message.data)
                found.append(written.model_copy(update={"at": message.metadata.timestamp}))
    return sorted(found, key=lambda worker: (worker.service, worker.host, worker.id))


async def living_workers(client: Client) -> list[Worker]:
    """Those that have written lately."""
    workers = await known_workers(client)
    now = await bus_time(client, WORKERS_BUCKET)
    return [worker for worker in workers if worker.alive(now)]


async def choose_workers(client: Client, names: Sequence[str], host: str | None = None) -> list[Worker]:
    """The living workers that are meant.

    Args:
        names: ids of workers, and names of services for all workers of them. host: only those on this host.

    Raises:
        NoSuchWorker: one of the names fits none.
    """
    living = [worker for worker in await living_workers(client) if host in (None, worker.host)]
    for name in names:
        if not any(name in (worker.id, worker.service) for worker in living):
            raise NoSuchWorker(f"no living worker {name}" + (f" on {host}" if host else ""))
    return [worker for worker in living if not names or {worker.id, worker.service} & set(names)]


async def drain(client: Client, workers: Sequence[Worker], *, stay: bool = False) -> AsyncIterator[Draining]:
    """Order workers to drain, and tell how far they are, whenever that changes, until none is left.

    The order stands in a bucket until the worker has read it: nothing is lost with a message, and whoever stops looking on has
    stopped nothing.

    Raises:
        BusUnavailable: the bus was out of reach before all had been ordered. Later on it is waited for.
    """
    roster = Roster(client)
    for worker in workers:
        await roster.order(worker, DrainOrder(stay=stay))
    told: Draining | None = None
    while told is None or told.left:
        with suppress(BusUnavailable):
            found = {worker.id: worker for worker in await known_workers(client)}
            state = _state(found, workers, await bus_time(client, WORKERS_BUCKET), stay=stay)
            if told is None or _essence(state) != _essence(told):
                told = state
                yield state
                continue
        await asyncio.sleep(_LOOK_SECONDS)


def _state(found: dict[str, Worker], ordered: Sequence[Worker], now: datetime, *, stay: bool) -> Draining:
    left, drained, lost = [], [], []
    for former in ordered:
        worker = found.get(former.id)
        if worker is None:
            drained.append(former)
        elif not worker.alive(now):
            lost.append(worker)
        elif stay and worker.draining and not worker.running:
            drained.append(worker)
        else:
            left.append(worker)
    return Draining(tuple(left), tuple(drained), tuple(lost))


def _essence(state: Draining) -> tuple[object, ...]:
    working = tuple((worker.id, worker.draining, worker.running) for worker in state.left)
    return working, {worker.id for worker in state.drained}, {worker.id for worker in state.lost}

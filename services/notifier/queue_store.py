"""Where queues are kept: a bucket of the bus, changed by compare-and-set only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue
from pydantic import BaseModel, ConfigDict

from services.notifier.delivery_queue import DeliveryQueue
from shared.bus.errors import BusUnavailable, bus_calls
from shared.bus.topology import QUEUES_BUCKET
from shared.deliveries import WebhookAttempt
from shared.job import Told

_TRIES = 20


@dataclass(frozen=True)
class Held:
    """A delivery queue as it was at a revision; 0 is that of a queue that does not exist yet."""

    queue: DeliveryQueue
    revision: int


class Announced(BaseModel):
    """How far the attempts of a job have been put into the queues of its hooks. ``early``: it has early playback."""

    model_config = ConfigDict(frozen=True)
    status: Told
    sequence: int
    early: bool = False


class DeliveryQueues:
    """The queues of all jobs and hooks, and for each job how far it was announced."""

    def __init__(self, bucket: KeyValue) -> None:
        self._bucket = bucket

    @classmethod
    async def open(cls, client: Client) -> Self:
        """Bind to the provisioned bucket. Reads of it go to the stream's leader, so they show what was written before."""
        return cls(await client.jetstream().key_value(QUEUES_BUCKET))

    @bus_calls()
    async def change(
        self, attempt: WebhookAttempt, change: Callable[[DeliveryQueue], DeliveryQueue], *, known: Held | None = None
    ) -> Held:
        """Change the queue of an attempt's job and hook.

        Args:
            change: pure, and harmless when applied again to its own result: it is, when others change the queue meanwhile
                or when it is unknown whether a write was stored. If it returns the queue as it is, nothing is written.
            known: the queue as last seen, which saves a read.

        Raises:
            BusUnavailable: the bus is out of reach.
        """
        key = _key(attempt)
        held = known or await self._read(key)
        for _ in range(_TRIES):
            queue = change(held.queue)
            if queue == held.queue:
                return held
            try:
                revision = await self._bucket.update(key, queue.model_dump_json().encode(), last=held.revision)
            except (KeyWrongLastSequenceError, NatsTimeoutError):
                held = await self._read(key)
                continue
            return Held(queue, revision)
        raise BusUnavailable(f"the queue {key} is not to be written")

    @bus_calls()
    async def forget(self, attempt: WebhookAttempt) -> None:
        """Remove the queue of an attempt's job and hook."""
        await self._bucket.delete(_key(attempt))

    @bus_calls()
    async def announced(self, org: str, job: str) -> Announced | None:
        """How far a job was announced."""
        try:
            entry = await self._bucket.get(f"{org}.{job}")
        except KeyNotFoundError:
            return None
        return Announced.model_validate_json(entry.value or b"")

    @bus_calls()
    async def note_announced(self, org: str, job: str, announced: Announced) -> None:
        """Note how far a job was announced. Going back is harmless: what is announced again changes no queue."""
        await self._bucket.put(f"{org}.{job}", announced.model_dump_json().encode())

    async def _read(self, key: str) -> Held:
        try:
            entry = await self._bucket.get(key)
        except KeyNotFoundError as missing:
            return Held(DeliveryQueue(), missing.entry.revision if missing.entry else 0)
        return Held(DeliveryQueue.model_validate_json(entry.value or b""), entry.revision or 0)


def _key(attempt: WebhookAttempt) -> str:
    return f"{attempt.org}.{attempt.job}.{attempt.hook}"

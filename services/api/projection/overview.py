"""The leader's overview of the whole: the queues on the bus, the jobs, and how far the projection is behind.

One process looks, for all: what is asked costs the server something, and with each replica telling the same, sums would be wrong.
"""

import asyncio
from collections.abc import Callable, Mapping

import structlog
from nats.aio.client import Client

from services.api import metrics
from services.api.database.pool import Connection, Database
from services.api.projection.projection import load_offset
from services.api.projection.queues import BUS_SECONDS, age_after, look_at_admission, look_at_queue
from shared.bus.topology import DEAD, DELIVERIES, DURABLES, JOBS, WEBHOOKS, Durable
from shared.logs import Repetition
from shared.metrics import error_label

LOOK_SECONDS = 5.0
"""More often than Prometheus asks, and seldom enough to cost nothing."""

_STREAMS = (JOBS, DELIVERIES, WEBHOOKS, DEAD)
_PROJECTED = (JOBS, DELIVERIES)
_QUEUE = "admission"


class Overview:
    """Looks again and again while this replica leads.

    Args:
        held_up: how many jobs wait for what, by error code.
        places: how many jobs may run at the same time.
        leads: whether it is this replica that leads now.
    """

    def __init__(
        self,
        client: Client,
        database: Database,
        *,
        held_up: Callable[[], Mapping[str, int]],
        places: int,
        leads: Callable[[], bool],
    ) -> None:
        self._nc = client
        self._js = client.jetstream(timeout=BUS_SECONDS)
        self._database = database
        self._held_up = held_up
        self._places = places
        self._leads = leads

    async def run(self) -> None:
        """Look until cancelled, whatever happens."""
        repetition = Repetition()
        while True:
            seen = False
            try:
                if self._leads():
                    await self.look()
                    seen = self._leads()
            except Exception as error:
                # Nothing depends on it, so that nothing may end for it.
                if repetition.is_due():
                    await structlog.get_logger().awarning("no overview", error=repr(error))
            if not seen:
                # What was seen last would look as if all were well.
                metrics.forget()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once.

        Raises:
            nats.errors.Error, TimeoutError: the bus is out of reach. DatabaseDown: Postgres is.
        """
        for durable in DURABLES:
            await self._look_at_queue(durable)
        metrics.HELD_UP.clear()
        for code, jobs in {**dict.fromkeys(metrics.WAITED_FOR, 0), **self._held_up()}.items():
            metrics.HELD_UP.labels(error_label(code)).inc(jobs)
        async with self._database.connection() as connection:
            await self._look_at_jobs(connection)
            # Before the streams: what comes in between counts as lag then, and never as less than none.
            offsets = {stream: await load_offset(connection, stream) for stream in _PROJECTED}
        for stream in _STREAMS:
            await self._look_at_stream(stream, offsets.get(stream))

    async def _look_at_queue(self, durable: Durable) -> None:
        queue = await look_at_queue(self._nc, durable)
        for gauge, value in (
            (metrics.QUEUE_MESSAGES, queue.messages),
            (metrics.QUEUE_OLDEST, queue.oldest_seconds),
            (metrics.QUEUE_UNSETTLED, queue.unsettled),
            (metrics.QUEUE_REDELIVERED, queue.redelivered),
            (metrics.QUEUE_PULLS, queue.pulls),
        ):
            gauge.labels(durable.name).set(value)

    async def _look_at_stream(self, stream: str, offset: int | None) -> None:
        state = (await self._js.stream_info(stream)).state
        metrics.STREAM_MESSAGES.labels(stream).set(state.messages)
        metrics.STREAM_BYTES.labels(stream).set(state.bytes)
        if offset is not None:
            behind = max(0, state.last_seq - offset)
            metrics.PROJECTION_LAG.labels(stream).set(behind)
            age = await age_after(self._nc, stream, offset, (">",)) if behind else 0.0
            metrics.PROJECTION_LAG_SECONDS.labels(stream).set(age)

    async def _look_at_jobs(self, connection: Connection) -> None:
        admission = await look_at_admission(connection)
        metrics.JOBS.labels("waiting").set(admission.waiting)
        metrics.JOBS.labels("running").set(admission.running)
        metrics.JOBS_OLDEST.labels(_QUEUE).set(admission.oldest_seconds)
        metrics.PLACES.labels(_QUEUE).set(self._places)

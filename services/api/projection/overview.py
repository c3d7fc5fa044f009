"""The leader's overview of the whole: the queues on the bus, the jobs, and how far the projection is behind.

One process looks, for all: what is asked costs the server something, and with each replica telling the same, sums would be wrong.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import structlog
from nats.aio.client import Client

from services.api import metrics
from services.api.database.pool import Connection, Database
from services.api.projection.projection import load_offset
from shared.bus.direct import direct_get
from shared.bus.topology import DEAD, DELIVERIES, DURABLES, JOBS, WEBHOOKS, Durable
from shared.logs import Repetition
from shared.metrics import error_label

LOOK_SECONDS = 5.0
"""More often than Prometheus asks, and seldom enough to cost nothing."""

_BUS_SECONDS = 5.0
_STREAMS = (JOBS, DELIVERIES, WEBHOOKS, DEAD)
_PROJECTED = (JOBS, DELIVERIES)
_QUEUE = "admission"
# One statement, which sees all of it at one moment; each half reads an index of exactly these rows.
_JOBS = """
    select waiting.*, running.* from
        (select count(*), min(created) from jobs where not admitted and status = 'queued') as waiting (jobs, oldest),
        (select count(*) from jobs where admitted and status in ('queued', 'transcoding')) as running (jobs)
"""


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
        self._js = client.jetstream(timeout=_BUS_SECONDS)
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
        info = await self._js.consumer_info(durable.stream, durable.name)
        pending = info.num_pending or 0
        after = info.delivered.stream_seq if info.delivered else 0
        oldest = await self._age_after(durable.stream, after, durable.filters) if pending else 0.0
        for gauge, value in (
            (metrics.QUEUE_MESSAGES, pending),
            (metrics.QUEUE_OLDEST, oldest),
            (metrics.QUEUE_UNSETTLED, info.num_ack_pending),
            (metrics.QUEUE_REDELIVERED, info.num_redelivered),
            (metrics.QUEUE_PULLS, info.num_waiting),
        ):
            gauge.labels(durable.name).set(value or 0)

    async def _look_at_stream(self, stream: str, offset: int | None) -> None:
        state = (await self._js.stream_info(stream)).state
        metrics.STREAM_MESSAGES.labels(stream).set(state.messages)
        metrics.STREAM_BYTES.labels(stream).set(state.bytes)
        if offset is not None:
            behind = max(0, state.last_seq - offset)
            metrics.PROJECTION_LAG.labels(stream).set(behind)
            age = await self._age_after(stream, offset, (">",)) if behind else 0.0
            metrics.PROJECTION_LAG_SECONDS.labels(stream).set(age)

    async def _look_at_jobs(self, connection: Connection) -> None:
        waiting, oldest, running = await connection.fetchrow(_JOBS) or (0, None, 0)
        metrics.JOBS.labels("waiting").set(waiting)
        metrics.JOBS.labels("running").set(running)
        metrics.JOBS_OLDEST.labels(_QUEUE).set(_age_of(oldest) if oldest else 0)
        metrics.PLACES.labels(_QUEUE).set(self._places)

    async def _age_after(self, stream: str, sequence: int, filters: tuple[str, ...]) -> float:
        """Age in seconds of the first message after a place that fits a filter; 0 if none does any more."""
        ages = [0.0]
        for subject in filters:
            request = {"seq": sequence + 1, "next_by_subj": subject, "batch": 1}
            messages, _ = await direct_get(self._nc, stream, request, seconds=_BUS_SECONDS)
            ages += [_age_of(datetime.fromisoformat((each.headers or {})["Nats-Time-Stamp"])) for each in messages]
        return max(ages)


def _age_of(instant: datetime) -> float:
    # Clocks of hosts differ.
    return max(0.0, (datetime.now(UTC) - instant).total_seconds())

"""How long the queues are: of jobs that wait for admission, and of the consumers on the bus that share work."""

from dataclasses import dataclass
from datetime import UTC, datetime

from nats.aio.client import Client

from services.api.database.pool import Connection
from shared.bus.direct import direct_get
from shared.bus.topology import Durable

BUS_SECONDS = 5.0
# One statement, which sees all of it at one moment; each half reads an index of exactly these rows.
_JOBS = """
    select waiting.*, running.* from
        (select count(*), min(created) from jobs where not admitted and status = 'queued') as waiting (jobs, oldest),
        (select count(*) from jobs where admitted and status in ('queued', 'transcoding')) as running (jobs)
"""


@dataclass(frozen=True)
class BusQueue:
    """A consumer as it is now.

    Attributes:
        messages: never delivered. oldest_seconds: age of the oldest of them.
        unsettled: delivered, and neither acknowledged nor given up. redelivered: those among them that came more than once.
        pulls: slots that ask for a message and have none.
    """

    messages: int
    oldest_seconds: float
    unsettled: int
    redelivered: int
    pulls: int


@dataclass(frozen=True)
class Admission:
    """The jobs that wait for admission, the age of the oldest, and those that run."""

    waiting: int
    oldest_seconds: float
    running: int


async def look_at_admission(connection: Connection) -> Admission:
    """How many jobs wait, and how many run."""
    waiting, oldest, running = await connection.fetchrow(_JOBS) or (0, None, 0)
    return Admission(waiting, age_of(oldest) if oldest else 0.0, running)


async def look_at_queue(client: Client, durable: Durable) -> BusQueue:
    """A consumer as it is now.

    Raises:
        nats.errors.Error, TimeoutError: the bus is out of reach.
    """
    info = await client.jetstream(timeout=BUS_SECONDS).consumer_info(durable.stream, durable.name)
    messages = info.num_pending or 0
    after = info.delivered.stream_seq if info.delivered else 0
    oldest = await age_after(client, durable.stream, after, durable.filters) if messages else 0.0
    unsettled, redelivered = info.num_ack_pending or 0, info.num_redelivered or 0
    return BusQueue(messages, oldest, unsettled, redelivered, info.num_waiting or 0)


async def age_after(client: Client, stream: str, sequence: int, filters: tuple[str, ...]) -> float:
    """Age in seconds of the first message after a place that fits a filter; 0 if none does any more."""
    ages = [0.0]
    for subject in filters:
        request = {"seq": sequence + 1, "next_by_subj": subject, "batch": 1}
        messages, _ = await direct_get(client, stream, request, seconds=BUS_SECONDS)
        ages += [age_of(datetime.fromisoformat((each.headers or {})["Nats-Time-Stamp"])) for each in messages]
    return max(ages)


def age_of(instant: datetime) -> float:
    """Age in seconds of what happened at an instant."""
    # Clocks of hosts differ.
    return max(0.0, (datetime.now(UTC) - instant).total_seconds())

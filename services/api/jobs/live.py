"""Live progress: what workers publish beside the log, the percentage that is shown for it, and what jobs wait for."""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from services.api.database.pool import Connection
from services.api.jobs.waits import Waits
from services.api.projection.tail import Tail, TailBroken
from shared.bus.subjects import feed_subject, split_job_subject
from shared.bus.topology import PROGRESS
from shared.job import Job
from shared.waiting import Waiting

# Far more than a server works on at once. What is published about a job after its end would otherwise stay for good.
MOST_JOBS = 5_000
MOST_PARTS = 1_100

_SHOWN = "select job, percent from progress_shown where job = any($1::text[])"
_RAISE = """
    insert into progress_shown (job, percent) select * from unnest($1::text[], $2::smallint[]) order by 1
    on conflict (job) do update set percent = greatest(progress_shown.percent, excluded.percent)
    returning job, percent
"""


class LiveProgress:
    """The newest fraction done of everything that is under way, as far as this process has received it.

    Receiving nothing harms nothing: the events of the log alone give the progress in coarser steps.

    Attributes:
        waits: what jobs wait for.
    """

    def __init__(self, client: Client) -> None:
        self.waits = Waits()
        self._nc = client
        self._fractions: OrderedDict[str, dict[str, float]] = OrderedDict()
        self._subscriptions: list[Subscription] = []
        self._listeners: list[Callable[[str, str], None]] = []

    async def start(self) -> None:
        """Subscribe, and read what was published before. May be repeated after a failure.

        The streams must have been provisioned.
        """
        await self.stop()
        for subject, callback in (
            ("progress.*.*.>", self._heard),
            ("waiting.*.*.>", self._heard),
            (feed_subject("*", "*", "part_transcoded.*"), self._heard_part),
            (feed_subject("*", "*", "end.*"), self._heard_end),
        ):
            self._subscriptions.append(await self._nc.subscribe(subject, cb=callback))
        await self._catch_up()

    async def stop(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            try:
                await subscription.unsubscribe()
            except NatsError:
                continue
        self._subscriptions.clear()

    def listen(self, listener: Callable[[str, str], None]) -> None:
        """Call ``listener`` with organization and id of a job whose progress has changed."""
        self._listeners.append(listener)

    def fractions(self, job: str) -> dict[str, float]:
        """Fraction done by the name of the part, or ``fetch``."""
        return self._fractions.get(job, {})

    def waiting(self, job: Job) -> Waiting | None:
        """What a job waits for, if it does."""
        return None if job.finished else self.waits.of(job.id)

    async def percent(self, connection: Connection, jobs: Sequence[Job]) -> dict[str, int]:
        """Percent done to show for each job, by its id. Never less than what anyone, on any replica, was shown before."""
        percent = {job.id: job.progress(None if job.finished else self.fractions(job.id)) for job in jobs}
        asked = [job for job in jobs if job.status != "completed"]
        if not asked:
            return percent
        rows = await connection.fetch(_SHOWN, [job.id for job in asked])
        shown = {row["job"]: row["percent"] for row in rows}
        # A finished job's events tell no more than they do now, so that need not be remembered.
        higher = [job.id for job in asked if not job.finished and percent[job.id] > shown.get(job.id, 0)]
        if higher:
            for row in await connection.fetch(_RAISE, higher, [percent[job] for job in higher]):
                shown[row["job"]] = row["percent"]
        return percent | {job.id: max(percent[job.id], shown.get(job.id, 0)) for job in asked}

    async def _catch_up(self) -> None:
        tail = Tail(self._nc, PROGRESS)
        try:
            await tail.open(0)
            while tail.pending:
                for message in await tail.next_batch(1.0):
                    await self._heard(message)
        except (NatsError, TailBroken, TimeoutError) as error:
            await structlog.get_logger().awarning("earlier progress not read", error=repr(error))
        finally:
            await tail.close()

    async def _heard(self, message: Msg) -> None:
        try:
            org, job, what = split_job_subject(message.subject)
            if message.subject.startswith("waiting."):
                self.waits.heard(org, job, what, message.data)
            else:
                self._keep_fraction(job, what, float(message.data))
        except ValueError:
            return
        for listener in self._listeners:
            listener(org, job)

    def _keep_fraction(self, job: str, what: str, fraction: float) -> None:
        if not math.isfinite(fraction):
            raise ValueError(f"no fraction: {fraction}")
        parts = self._fractions.setdefault(job, {})
        if what in parts or len(parts) < MOST_PARTS:
            parts[what] = min(max(fraction, 0.0), 1.0)
        self._fractions.move_to_end(job)
        if len(self._fractions) > MOST_JOBS:
            self._fractions.popitem(last=False)

    async def _heard_part(self, message: Msg) -> None:
        _, job, token = split_job_subject(message.subject)
        self._fractions.get(job, {}).pop(token.partition(".")[2], None)

    async def _heard_end(self, message: Msg) -> None:
        _, job, _ = split_job_subject(message.subject)
        self._fractions.pop(job, None)
        self.waits.ended(job)

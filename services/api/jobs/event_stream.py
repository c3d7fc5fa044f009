"""A job's state as server-sent events.

What is sent is read from the same row that GET reads, so a client that uses both never sees the stream behind. Events on
the bus only wake this up. Everybody who listens to one job shares one reader of its row, and since each message is the
whole state, whoever is slow simply misses some in between.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from services.api.database.pool import Database
from services.api.jobs.live import LiveProgress
from services.api.jobs.standing import standings
from services.api.metrics import LISTENERS
from shared.bus.subjects import split_job_subject
from shared.job import STATUS_AFTER, Job
from shared.payload import NO_STANDING, Standing, job_json
from shared.waiting import Waiting

# At most this often for one job, whatever happens to it; only of its end everybody is told at once.
PAUSE_SECONDS = 0.25
# Without any news the row is looked at all the same: what wakes us up travels over core NATS and may be lost. Soon at first,
# since an event may have come just before anybody listened, and its projection after the first look.
_FIRST_LOOK_SECONDS, _LOOK_SECONDS = 0.25, 10.0
_LAG_SECONDS = 0.03
_LONGEST_LAG_SECONDS = 10.0
# Reading for streams shall leave most of the pool to requests.
_READERS = 4
_LINE_END = re.compile(r"\r\n|\r|\n")
# The events that make a list of jobs another, or move a job from one status to the next.
_CHANGES_A_LIST = frozenset(event.subject for event in STATUS_AFTER)


@dataclass(frozen=True)
class Frame:
    """A job's state, ready to be sent.

    Attributes:
        place: grows with every change: the sequence of the newest event in it, the percentage, and a number that grows whenever
            something is heard of what the job waits for; both of these grow without events too.
        final: nothing comes after it.
        text: the state as JSON. only: the same with some of its members alone.
    """

    place: tuple[int, int, int]
    final: bool
    text: str
    only: Callable[[Collection[str]], str]

    def shown(self, fields: Collection[str] | None) -> str:
        """What a listener gets who wants these members; None for all."""
        return self.text if fields is None else self.only(fields)

    def message(self, text: str) -> bytes:
        """An event with what is shown of this state."""
        # The client's metadata stands in there as it came, line breaks included; a reader joins the lines again.
        lines = "".join(f"data: {line}\n" for line in _LINE_END.split(text))
        return f"event: job\nid: {self.place[0]}\n{lines}\n".encode()


def make_frame(
    job: Job,
    sequence: int,
    percent: int,
    standing: Standing = NO_STANDING,
    *,
    waiting: Waiting | None = None,
    changes: int = 0,
) -> Frame:
    """The state of a job after the event of that sequence.

    Args:
        changes: the number that grows whenever something is heard of what the job waits for.
    """

    def shown(fields: Collection[str] | None) -> str:
        return job_json(job, "stream", progress=percent, standing=standing, waiting=waiting, fields=fields)

    return Frame((sequence, percent, changes), job.finished, shown(None), shown)


@dataclass(eq=False)
class Bell:
    """Rings for somebody who waits for several things at once.

    Attributes:
        list_changed: a job of the organization is new or has another status.
    """

    rung: asyncio.Event = field(default_factory=asyncio.Event)
    list_changed: bool = False


class EventStream:
    """The followed jobs of one process. ``stopping``: all streams shall end."""

    def __init__(self, database: Database, client: Client, live: LiveProgress) -> None:
        self._database = database
        self._nc = client
        self._live = live
        self._reading = asyncio.Semaphore(_READERS)
        self._watches: dict[tuple[str, str], Watch] = {}
        self._bells: dict[str, set[Bell]] = {}
        self._subscription: Subscription | None = None
        self.stopping = False

    @property
    def watched(self) -> int:
        """How many jobs are being followed."""
        return len(self._watches)

    async def start(self) -> None:
        """Listen to the bus."""
        self._subscription = await self._nc.subscribe("feed.jobs.>", cb=self._heard)
        self._live.listen(self._wake)

    async def stop(self) -> None:
        """End all streams; clients connect again, to a server that stays. To be called when the server begins to stop."""
        self.stopping = True
        for watch in self._watches.values():
            watch.tell()
        for bell in (bell for bells in self._bells.values() for bell in bells):
            bell.rung.set()
        if self._subscription:
            try:
                await self._subscription.unsubscribe()
            except NatsError:
                return

    @asynccontextmanager
    async def watch(self, org: str, job: str, bell: Bell | None = None) -> "AsyncIterator[Watch]":
        """Follow a job, beside all others who do. ``bell``: rings whenever there is a newer state."""
        # The watch is there before the first read, so that no change can fall between the two.
        watch = self._watches.get((org, job))
        if watch is None:
            watch = self._watches[org, job] = Watch(self._database, self._live, self._reading, org, job)
        watch.join(bell)
        try:
            yield watch
        finally:
            if watch.leave(bell):
                del self._watches[org, job]

    @contextmanager
    def listed(self, org: str) -> Iterator[Bell]:
        """A bell that rings whenever the organization's list of jobs has changed."""
        bell = Bell()
        bells = self._bells.setdefault(org, set())
        bells.add(bell)
        LISTENERS.inc()
        try:
            yield bell
        finally:
            LISTENERS.dec()
            bells.discard(bell)
            if not bells:
                self._bells.pop(org, None)

    def _wake(self, org: str, job: str) -> None:
        if watch := self._watches.get((org, job)):
            watch.wake()

    async def _heard(self, message: Msg) -> None:
        org, job, token = split_job_subject(message.subject)
        if token in _CHANGES_A_LIST:
            for bell in self._bells.get(org, ()):
                bell.list_changed = True
                bell.rung.set()
        if watch := self._watches.get((org, job)):
            watch.wake(int((message.headers or {}).get("Nats-Sequence", 0)), ended=token.startswith("end."))


class Watch:
    """One job that is being followed: reads its row whenever it may have changed, and wakes all followers.

    Attributes:
        latest: the newest state that was read.
    """

    def __init__(self, database: Database, live: LiveProgress, reading: asyncio.Semaphore, org: str, job: str) -> None:
        self.latest: Frame | None = None
        self._database = database
        self._live = live
        self._reading = reading
        self._org = org
        self._job = job
        self._listeners = 0
        self._bells: list[Bell] = []
        self._heard = 0
        self._woken = asyncio.Event()
        self._ended = asyncio.Event()
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def join(self, bell: Bell | None = None) -> None:
        """One listener more. ``bell``: what is to ring for it."""
        self._listeners += 1
        if bell:
            self._bells.append(bell)
        LISTENERS.inc()
        if self._task is None:
            self._task = asyncio.create_task(self._follow())

    def leave(self, bell: Bell | None = None) -> bool:
        """One listener less. Returns whether it was the last."""
        self._listeners -= 1
        if bell:
            self._bells.remove(bell)
        LISTENERS.dec()
        if self._listeners == 0 and self._task:
            # Forgotten as well: with the cancellation in it, whose traceback leads back here, it would be a cycle.
            task, self._task = self._task, None
            task.cancel()
        return self._listeners == 0

    def wake(self, sequence: int = 0, *, ended: bool = False) -> None:
        """The row has changed or is about to, up to an event of this sequence if known; with ``ended`` for the last time."""
        self._heard = max(self._heard, sequence)
        self._woken.set()
        if ended:
            self._ended.set()

    def tell(self) -> None:
        """Wake all listeners."""
        # An event of its own for each time: a listener that comes to wait later waits for the next one.
        told, self._told = self._told, asyncio.Event()
        told.set()
        for bell in self._bells:
            bell.rung.set()

    async def news(self, than: Frame, seconds: float) -> None:
        """Return when there is something newer than a frame, when told to wake up, or after some time."""
        if self.newer(than) is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._told.wait()

    def newer(self, than: Frame) -> Frame | None:
        """A newer state than this one, if one was read."""
        return self.latest if self.latest and self.latest.place > than.place else None

    async def read(self) -> Frame | None:
        """The job's state as GET would show it now.

        Raises:
            DatabaseDown: Postgres is out of reach.
        """
        async with self._reading, self._database.connection() as connection:
            row = await connection.fetchrow(
                "select last_sequence, state from jobs where org = $1 and id = $2", self._org, self._job
            )
            if row is None:
                return None
            job = Job.model_validate_json(row["state"])
            percent = (await self._live.percent(connection, [job]))[job.id]
            standing = (await standings(connection, self._org, [job]))[job.id]
        changes, waiting = self._live.waits.changes(job.id), self._live.waiting(job)
        frame = make_frame(job, row["last_sequence"], percent, standing, waiting=waiting, changes=changes)
        # Two reads at once may end in the wrong order; the state itself only moves forward.
        if self.latest is None or frame.place > self.latest.place:
            self.latest = frame
            self.tell()
        return self.latest

    async def _follow(self) -> None:
        look = _FIRST_LOOK_SECONDS
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(look):
                    await self._woken.wait()
            look = min(2 * look, _LOOK_SECONDS)
            self._woken.clear()
            try:
                await self._read_until_heard()
            except Exception as error:
                # Most of all DatabaseDown. The listeners wait, as they do when nothing happens.
                await structlog.get_logger().awarning(
                    "stream waits", organization=self._org, job=self._job, error=repr(error)
                )
                self._woken.set()
                await asyncio.sleep(1.0)
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self._ended.wait()
            self._ended.clear()

    async def _read_until_heard(self) -> None:
        """Read the row; again, if an event that was received is not in it yet. The projection is a few milliseconds behind."""
        wanted, self._heard = self._heard, 0
        pause, waited = _LAG_SECONDS, 0.0
        frame = await self.read()
        while frame and frame.place[0] < wanted and waited < _LONGEST_LAG_SECONDS:
            await asyncio.sleep(pause)
            waited += pause
            pause = min(pause * 1.5, 1.0)
            frame = await self.read()

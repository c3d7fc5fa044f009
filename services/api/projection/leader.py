"""The leader: the one replica of the api that projects the log, admits jobs, and prunes old ones.

Who leads is decided by an advisory lock that belongs to a session of Postgres, and everything the leader writes goes
through that same session: a leader that loses the lock has, by that, lost its hands as well. The others ask for the lock
twice a second, so one of them takes over as soon as the session is gone. Postgres ends the session of a leader that hangs
(``idle_session_timeout``); one that is alive but cut off from the bus steps down by itself. The leader also steps down
when somebody waits in line for the lock, which only the rebuild does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import asyncpg
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.api import metrics
from services.api.database.pool import Connection
from services.api.projection.admission import Admission, Caps, Waits
from services.api.projection.projection import apply_events, disable_hooks, record_deliveries, sweep_claims
from services.api.projection.projector import LogLost, Projector, deliveries_in, events_in
from services.api.projection.retention import Retention
from shared.bus.joblog import JobLog
from shared.bus.topology import DELIVERIES, JOBS
from shared.events import Admitted, Created, Event
from shared.logs import Repetition
from shared.tasks import end_tasks

LEADERSHIP = (0x4D52, 1)
"""The two numbers of the advisory lock: ``pg_advisory_lock(int, int)``."""

HooksChanged = Callable[[str], Awaitable[None]]

_ASK_SECONDS = 0.5
_TICK_SECONDS = 1.0
_SWEEP_TICKS = 60
_CUT_OFF_SECONDS = 10.0
_STUCK_SECONDS = 15.0
_SESSION = {
    "application_name": "millrace-leader",
    "timezone": "UTC",
    # A leader sends a statement every second. One that hangs must not keep the lock, nor one whose host has vanished.
    "idle_session_timeout": "15s",
    "idle_in_transaction_session_timeout": "15s",
    # What a crash of Postgres takes away goes together with the offsets, and is read from the streams again.
    "synchronous_commit": "off",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
_IN_LINE = """
    select exists (
        select from pg_locks
        where locktype = 'advisory' and not granted and classid = $1 and objid = $2 and objsubid = 2
          and database = (select oid from pg_database where datname = current_database()))
"""


class _StepDown(Exception):
    """This replica shall not lead any longer; the text says why."""


class Leader:
    """A replica's part in leading: it leads, or waits for its turn to.

    Args:
        dsn: address of the database. The leader has a connection of its own.
        on_hooks_changed: called with the organization after one of its webhooks was switched off; repeated until it
            succeeds.
        keep_jobs: how long a job is kept after its end; None for ever.
        waits: see :class:`services.api.projection.admission.Admission`.
    """

    def __init__(
        self,
        dsn: str,
        client: Client,
        log: JobLog,
        *,
        max_active_jobs: int,
        max_active_per_organization: int,
        on_hooks_changed: HooksChanged,
        keep_jobs: timedelta | None = None,
        waits: Waits,
    ) -> None:
        self._dsn = dsn
        self._nc = client
        self._job_log = log
        self._caps = Caps(max_active_jobs, max_active_per_organization)
        self._on_hooks_changed = on_hooks_changed
        self._keep_jobs = keep_jobs
        self._waits = waits
        self._seen: float | None = None
        self._term: _Term | None = None

    @property
    def leads(self) -> bool:
        """Whether it is this replica that leads now."""
        return self._term is not None

    async def run(self) -> None:
        """Lead whenever the turn comes, until cancelled."""
        log = structlog.get_logger()
        self._seen = asyncio.get_running_loop().time()
        while True:
            connection: Connection | None = None
            try:
                connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=30, server_settings=_SESSION)
                await self._wait_for_turn(connection)
                await log.ainfo("leading")
                admission = Admission(self._job_log, self._caps, self._waits)
                term = _Term(self._nc, admission, connection, self._on_hooks_changed)
                retention = Retention(
                    self._dsn, self._nc, self._job_log, keep_jobs=self._keep_jobs, ready=term.is_up_to_date
                )
                self._term = term
                await term.run(retention.run())
            except Exception as error:
                # Nothing may end this loop: a replica that has stopped standing for leader looks healthy and is not.
                await log.awarning("not leading", reason=repr(error))
            finally:
                ended_term, self._term = self._term, None
                if connection:
                    # Not a polite goodbye, which could wait for an answer: the lock shall be free at once.
                    connection.terminate()
            # After a time of leading the others are let go first: what ended it may be wrong with this replica alone.
            await asyncio.sleep(2 * _ASK_SECONDS if ended_term else _ASK_SECONDS)

    async def check(self) -> None:
        """Raises: RuntimeError: nothing moves here, in the part this replica has."""
        if self._term:
            self._term.check()
        elif self._seen is None or asyncio.get_running_loop().time() - self._seen > _STUCK_SECONDS:
            raise RuntimeError("does not stand for leader")

    async def _wait_for_turn(self, connection: Connection) -> None:
        while True:
            won = await connection.fetchval("select pg_try_advisory_lock($1, $2)", *LEADERSHIP)
            self._seen = asyncio.get_running_loop().time()
            if won:
                return
            await asyncio.sleep(_ASK_SECONDS)


class _Term:
    """One time of leading, over one session of Postgres."""

    def __init__(
        self, client: Client, admission: Admission, connection: Connection, on_hooks_changed: HooksChanged
    ) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()
        self._jobs = Projector(client, JOBS, self._apply_jobs, connection, self._turn)
        self._deliveries = Projector(client, DELIVERIES, self._apply_deliveries, connection, self._turn)
        self._admission = admission
        self._something_to_admit = asyncio.Event()
        self._on_hooks_changed = on_hooks_changed
        self._changed_hooks: set[str] = set()
        self._places = (0, 0)
        self._clock = asyncio.get_running_loop().time
        self._bus_seen = self._ticked = self._moved = self._clock()

    async def run(self, *beside: Coroutine[Any, Any, None]) -> None:
        """Lead until something ends it; raises that.

        Args:
            beside: what shall run for as long.
        """
        parts = (self._jobs.run(), self._deliveries.run(), self._admit(), self._tick(), self._watch_session(), *beside)
        # No TaskGroup, which cancels once and waits for ever (see end_tasks).
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await end_tasks(*tasks)
        for task in done:
            task.result()

    def check(self) -> None:
        """Raises: RuntimeError: nothing moves."""
        if self._jobs.lost or self._deliveries.lost:
            raise RuntimeError("the log is shorter than the projection of it")
        if self._clock() - min(self._ticked, self._moved) > _STUCK_SECONDS:
            raise RuntimeError("the projection makes no progress")

    def is_up_to_date(self) -> bool:
        """Whether the tables are up to date with the streams."""
        return all(each.caught_up and not each.lost for each in (self._jobs, self._deliveries))

    async def _watch_session(self) -> None:
        gone = asyncio.Event()
        self._connection.add_termination_listener(lambda _: gone.set())
        await gone.wait()
        raise _StepDown("the session of Postgres is gone")

    async def _apply_jobs(self, connection: Connection, messages: Sequence[Msg]) -> Callable[[], None]:
        events = events_in(messages)
        states = await apply_events(connection, events)
        if any(self._may_let_admit(item.event) for item in events):
            self._something_to_admit.set()
        return partial(metrics.projected, events, states)

    def _may_let_admit(self, event: Event) -> bool:
        """Whether there may be a job to admit now that there was not before this event."""
        if isinstance(event, Created):
            return not self._admission.full
        return isinstance(event, Admitted) or event.token().startswith("end.")

    async def _apply_deliveries(self, connection: Connection, messages: Sequence[Msg]) -> None:
        new = await record_deliveries(connection, deliveries_in(messages))
        self._changed_hooks |= await disable_hooks(connection, new)

    async def _admit(self) -> None:
        # Somebody else's admissions may be in the log and not in the tables yet.
        self._admission.up_to = await self._end_of_log()
        repetition = Repetition()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._something_to_admit.wait()
            self._something_to_admit.clear()
            async with self._turn:
                if self._jobs.lost or self._jobs.offset < self._admission.up_to:
                    continue
                chosen = await self._admission.next_jobs(self._connection)
            try:
                await self._admission.admit(chosen)
            except (NatsError, TimeoutError) as error:
                if repetition.is_due():
                    await structlog.get_logger().awarning("admission interrupted", error=repr(error))

    async def _end_of_log(self) -> int:
        while True:
            try:
                return await self._jobs.check_stream()
            except (NatsError, TimeoutError, LogLost):
                await asyncio.sleep(_TICK_SECONDS)

    async def _tick(self) -> None:
        ticks = 0
        while True:
            async with self._turn:
                if await self._connection.fetchval(_IN_LINE, *LEADERSHIP):
                    raise _StepDown("somebody waits in line")
                if ticks % _SWEEP_TICKS == 0 and self._jobs.caught_up:
                    await sweep_claims(self._connection)
            await self._look_at_streams()
            await self._tell_changed_hooks()
            ticks += 1
            self._note_progress()
            await asyncio.sleep(_TICK_SECONDS)

    async def _look_at_streams(self) -> None:
        for projector in (self._jobs, self._deliveries):
            try:
                await projector.check_stream()
                self._bus_seen = self._clock()
            except LogLost:
                # It stops by itself, and says so.
                self._bus_seen = self._clock()
            except (NatsError, TimeoutError) as error:
                if self._clock() - self._bus_seen > _CUT_OFF_SECONDS:
                    raise _StepDown("cut off from the bus") from error

    async def _tell_changed_hooks(self) -> None:
        for org in list(self._changed_hooks):
            try:
                await self._on_hooks_changed(org)
            except Exception as error:
                await structlog.get_logger().awarning(
                    "changed webhooks not told yet", organization=org, error=repr(error)
                )
            else:
                self._changed_hooks.discard(org)

    def _note_progress(self) -> None:
        self._ticked = self._clock()
        places = (self._jobs.offset, self._deliveries.offset)
        if places != self._places or (self._jobs.caught_up and self._deliveries.caught_up):
            self._places, self._moved = places, self._ticked

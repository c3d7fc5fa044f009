"""What becomes of a message once the work on it is over: acknowledged, tried again, or given up."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from pydantic import ValidationError

from shared.bus.attempts import AttemptBook, Attempts, Kind
from shared.bus.errors import BusUnavailable, bus_calls, translated
from shared.bus.headway import Report
from shared.bus.joblog import JobEnded, JobLog
from shared.bus.metrics import DEAD_LETTERS
from shared.bus.metrics import failed as count_failure
from shared.bus.outages import Outages
from shared.bus.parsing import FutureEvent, parse_event, report_unreadable
from shared.bus.subjects import dead_subject
from shared.bus.topology import DEAD
from shared.bus.tracing import this_work
from shared.errors import ERRORS, ComeAgain, MillraceError, Outage, PermanentError, TransientError
from shared.events import Failed
from shared.tasks import end_tasks
from shared.workspace.disk import workspace_outage

RETRY_DELAYS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)
"""Seconds before the next try of work that failed in a way that may pass; about two minutes in all."""

BUG_TRIES = 4
"""Tries of work that failed in a way we did not foresee."""

MAX_CRASHES = 3
"""Deliveries of which nothing was ever told after which work is given up: it kills its worker. All but the first ran alone."""

MAX_DELIVERIES = 40
"""The same for work beside a job, which only delays itself."""

# How long it is tried to tell that the bus was away, and how often.
_REPORT_SECONDS = 600.0
_REPORT_PAUSE = 1.0
_HAND_BACK_SECONDS = 2.0


@dataclass(frozen=True)
class Before:
    """What has become of a message's earlier deliveries.

    Attributes:
        known: as far as it was told. Nothing for work beside a job.
        crashes: how many workers that had it were never heard of again; 0 for work beside a job.
    """

    known: Attempts
    crashes: int


class Settlement:
    """Settles the messages of one worker process.

    What cannot be told to the bus is only logged: it costs a redelivery, which finds the work done.

    Args:
        outage_seconds: how long work waits for a storage, source or work space that is out of order.
    """

    def __init__(self, client: Client, log: JobLog, *, service: str, outage_seconds: float = 3600) -> None:
        self._js = client.jetstream(timeout=5)
        self._log = log
        self._service = service
        self._book = AttemptBook(client)
        self._outages = Outages(client, self._book, service=service, longest=outage_seconds)
        self._reports: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Give up telling what could not be told so far."""
        await end_tasks(*self._reports)

    async def check_deliveries(self, message: Msg, *, side_work: bool) -> "Before":
        """Refuse a message that nobody has lived to tell of.

        Returns:
            what has become of its earlier deliveries.

        Raises:
            PermanentError: ``worker_lost``. BusUnavailable: the bus is in the way.
        """
        before = message.metadata.num_delivered - 1
        if before < (MAX_DELIVERIES if side_work else 1):
            return Before(Attempts(subject=message.subject), 0)
        known = await self._book.of(message)
        silent = before - known.reported
        # A delivery may be lost on its way to a worker. Only of those that ran alone is it known that they began.
        if silent >= MAX_DELIVERIES if side_work else silent >= MAX_CRASHES and known.alone >= MAX_CRASHES - 1:
            raise PermanentError("worker_lost", f"delivered {before} times, {silent} of them without a word afterwards")
        return Before(known, 0 if side_work else max(0, silent))

    async def runs_alone(self, message: Msg) -> None:
        """A suspect begins.

        Raises:
            BusUnavailable: the bus is in the way, so that it could not be told.
        """
        await self._book.count_alone(message)
        await structlog.get_logger().awarning("work runs alone", deliveries=message.metadata.num_delivered)

    def reporter(self, message: Msg) -> Report:
        """What the work of a message reports its headway to."""
        return self._outages.reporter(message)

    def resting(self, consumer: str) -> int:
        """How many redelivered messages of a consumer were sent away here for an outage, and come again later."""
        return self._outages.resting(consumer)

    async def done(self, message: Msg) -> None:
        """The work is done, or not needed any more."""
        if await self._told(message.ack_sync(timeout=5)):
            this_work().settled()
            await self._forget(message)
        else:
            # It comes again, and must not look as if it had killed this worker.
            self._report_later(message, "bus_unavailable")

    async def handed_back(self, message: Msg, *, delay: float | None = None) -> None:
        """This worker has been told to stop: another one shall go on, at once or after some seconds."""
        try:
            async with asyncio.timeout(_HAND_BACK_SECONDS):
                await self._book.count(message, "handed_back")
        except (TimeoutError, NatsError, MillraceError):
            self._report_later(message, "handed_back")
        await self._told(message.nak(delay=delay))

    async def lease_lost(self, message: Msg) -> None:
        """The lease ran out: the server gives the message to another by itself."""
        self._report_later(message, "lease_lost")

    async def failed(
        self, message: Msg, org: str, job: str, error: Exception, *, side_work: bool, held: float = 0
    ) -> None:
        """The work has raised an error: its kind decides whether there will be another try, and when.

        Args:
            held: seconds that this try took.
        """
        if isinstance(error, ComeAgain):
            await self.handed_back(message, delay=error.seconds)
            return
        meaning = workspace_outage(translated(error))
        this_work().failed(meaning)
        if isinstance(meaning, BusUnavailable):
            await self._bus_unavailable(message, meaning)
        elif isinstance(meaning, ValidationError) and (problem := _unreadable(message)):
            await self._skip(message, org, job, problem, side_work=side_work)
        else:
            await self._told(self._retry_or_give_up(message, org, job, meaning, side_work=side_work, held=held))

    async def bury(self, message: Msg, org: str, job: str, reason: str) -> None:
        """Keep the message where the operator finds it, and be done with it. Its own ``Nats-`` headers stay behind."""
        if await self._told(self._bury(message, org, job, reason)):
            this_work().settled("unreadable")

    async def _skip(self, message: Msg, org: str, job: str, problem: ValueError, *, side_work: bool) -> None:
        """Settle what this code cannot read. An event of a newer version is work that it cannot do, but no rubbish."""
        if not isinstance(problem, FutureEvent):
            await self.bury(message, org, job, "not an event")
            return
        report_unreadable(message.subject, message.metadata.sequence.stream, problem)
        if side_work:
            await self.done(message)
        else:
            await self.bury(message, org, job, f"{problem}: update this service")

    async def _bus_unavailable(self, message: Msg, error: BusUnavailable) -> None:
        """The message comes again as often as it takes: the bus being away is no failure of the work."""
        await structlog.get_logger().awarning("bus out of reach while working", error=str(error))
        try:
            outages = (await self._book.count(message, "bus_unavailable")).of("bus_unavailable")
        except BusUnavailable:
            # Then it comes when the lease runs out.
            self._report_later(message, "bus_unavailable")
        else:
            await self._told(message.nak(delay=_delay(outages)))

    async def _retry_or_give_up(
        self, message: Msg, org: str, job: str, error: Exception, *, side_work: bool, held: float
    ) -> None:
        log = structlog.get_logger()
        verdict: MillraceError
        if isinstance(error, PermanentError):
            verdict = error
        elif isinstance(error, Outage):
            try:
                await message.nak(delay=await self._outages.wait(message, error, held=held))
                count_failure(error.code, "waits")
                return
            except Outage as lasted:
                verdict = lasted
        elif isinstance(error, TransientError):
            verdict = error
            failures = (await self._book.count(message, "transient", error.code)).of("transient")
            if failures <= len(RETRY_DELAYS):
                await log.awarning(
                    "work failed, will be tried again", code=error.code, detail=error.detail, attempt=failures
                )
                count_failure(error.code, "tried_again")
                await message.nak(delay=_delay(failures))
                return
        else:
            failures = (await self._book.count(message, "bug", "internal_error")).of("bug")
            await log.aexception("work failed unexpectedly", attempt=failures, exc_info=error)
            if failures < BUG_TRIES:
                count_failure("internal_error", "tried_again")
                await message.nak(delay=_delay(failures))
                return
            verdict = PermanentError("internal_error", f"{type(error).__name__}: {error}")
        count_failure(verdict.code, "given_up")
        await self._give_up(message, org, job, verdict, side_work=side_work)
        this_work().settled(verdict.code)
        await self._forget(message)

    async def _give_up(self, message: Msg, org: str, job: str, error: MillraceError, *, side_work: bool) -> None:
        log = structlog.get_logger()
        if not side_work:
            failed = Failed(
                org=org,
                job=job,
                code=error.code,
                message=error.message,
                detail=error.detail[:4000],
                service=self._service,
            )
            try:
                await self._log.append(failed)
            except JobEnded as ended:
                if not (isinstance(ended.end, Failed) and ended.end.code == failed.code):
                    # What fails after a job's end is no failure: its files are removed while somebody still works on it.
                    await log.ainfo("work failed after the job's end", code=error.code, end=ended.end.token())
                    await message.ack_sync(timeout=5)
                    return
        await log.aerror("job failed", code=error.code, detail=error.detail)
        if side_work or error.code not in ERRORS or ERRORS[error.code].who == "operator":
            await self._bury(message, org, job, f"{error.code}: {error.detail}")
        else:
            await message.ack_sync(timeout=5)

    @bus_calls()
    async def _bury(self, message: Msg, org: str, job: str, reason: str) -> None:
        headers = {
            "Millrace-Reason": reason.replace("\r", " ").replace("\n", " ")[:500],
            "Millrace-Subject": message.subject,
        }
        await self._js.publish(
            dead_subject(self._service, org, job), message.data, stream=DEAD, timeout=5, headers=headers
        )
        DEAD_LETTERS.inc()
        await message.term()

    async def _forget(self, message: Msg) -> None:
        # Of a first delivery nothing can be known.
        if message.metadata.num_delivered > 1:
            await self._told(self._forget_known(message))

    async def _forget_known(self, message: Msg) -> None:
        await self._outages.settled(message, await self._book.forget(message))

    def _report_later(self, message: Msg, kind: Kind) -> None:
        """Tell it as soon as the bus lets us: it is what keeps an outage from looking like a worker that was killed."""
        task = asyncio.create_task(self._report(message, kind))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def _report(self, message: Msg, kind: Kind) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_REPORT_SECONDS):
                while True:
                    with suppress(NatsError):
                        await self._book.count(message, kind)
                        return
                    await asyncio.sleep(_REPORT_PAUSE)

    async def _told(self, telling: Awaitable[Any]) -> bool:
        try:
            await telling
        except (TimeoutError, NatsError, MillraceError) as error:
            await structlog.get_logger().awarning("message not settled", error=repr(error))
            return False
        return True


def _delay(tries: int) -> float:
    return RETRY_DELAYS[min(tries, len(RETRY_DELAYS)) - 1]


def _unreadable(message: Msg) -> ValueError | None:
    try:
        parse_event(message.data)
    except ValueError as error:
        return error
    return None

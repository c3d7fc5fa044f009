"""The policy of work taken from the bus, in one place: lease, end of the job, retry, dead letter.

A worker's handler gets an event and does its work. Around it, this middleware

- keeps the message's lease by confirmed heartbeats, and stops the work when the lease is lost (JetStream has no fencing
  token, so working on would mean two workers on the same piece);
- stops the work when the job has ended;
- has organizations take turns, what is urgent go first, and what may have killed a worker go last (:mod:`shared.bus.slots`);
- has the outcome settled (:mod:`shared.bus.settle`): ack, delayed redelivery, or the job's failure and a dead letter;
- takes note of the work's headway (:mod:`shared.bus.headway`), which ends a wait for somebody's servers.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from faststream import BaseMiddleware
from faststream.exceptions import StopConsume
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.attempt import making
from shared.bus.ack_wait import AckWaits
from shared.bus.headway import reporting
from shared.bus.joblog import JobEnded, JobLog
from shared.bus.metrics import Delivery, Outcome, serves
from shared.bus.queue import Queue
from shared.bus.roster import Begun
from shared.bus.settle import Settlement
from shared.bus.slots import Turn, TurnRules
from shared.bus.subjects import split_job_subject
from shared.bus.topology import Durable
from shared.bus.tracing import working_on
from shared.bus.turns import PutOff, Turns
from shared.errors import ComeAgain
from shared.events import Completed
from shared.tasks import end_tasks

_HEARTBEAT = b"+WPI"
# The work stops a little before the server gives the message to another, so that there is time to stop in.
_LEASE_TRUSTED = 0.85
_LET_GO_SECONDS = 2.0
_STOPPED: dict[str, Outcome] = {"ended": "ended", "lost": "lease_lost", "turn": "interrupted"}


class _Stopped(Exception):
    """The work was stopped from outside. ``reason``: ``ended``, ``lost``, or ``turn``, which is over."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class LeaseRuntime:
    """The leases of one worker process: every message that it works on goes through here.

    Args:
        side_work: this work is not the job's own (webhooks): a job's end does not stop it, and its failure fails no job.
        outage_seconds: how long work waits for a storage, source or work space that is out of order.

    Attributes:
        begun: the work that is being done.
    """

    def __init__(
        self, client: Client, log: JobLog, *, service: str, side_work: bool = False, outage_seconds: float = 3600
    ) -> None:
        self._nc = client
        self._log = log
        self._settlement = Settlement(client, log, service=service, outage_seconds=outage_seconds)
        self._ack_waits = AckWaits(client)
        self._turns: dict[str, Turns] = {}
        self._following: list[asyncio.Task[None]] = []
        self._side_work = side_work
        self._draining = False
        self._ended: dict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)
        self._users: dict[tuple[str, str], int] = defaultdict(int)
        self._running: set[asyncio.Task[None]] = set()
        self.begun = Begun()

    @property
    def busy(self) -> int:
        """How many pieces of work are under way."""
        return len(self._running)

    def middleware(self, message: Any, *, context: Any) -> "_LeasedScope":
        """The FastStream middleware; give this method to the broker."""
        return _LeasedScope(message, context=context, runtime=self)

    def serve(self, durable: Durable, slots: int, rules: TurnRules | None = None) -> None:
        """Messages of this consumer will come. To be called before the start.

        Args:
            slots: how many messages are worked on at the same time.
            rules: of the turns that organizations take; None where they take none.
        """
        self._ack_waits.watch(durable)
        serves(durable.name, slots)
        if rules:
            resting = partial(self._settlement.resting, durable.name)
            self._turns[durable.name] = Turns(Queue(self._nc, durable), slots, rules, resting=resting)

    @property
    def following(self) -> Sequence["asyncio.Task[None]"]:
        """What runs beside the work from the start on, and has to go on for as long as work is taken."""
        return self._following

    async def start(self) -> None:
        """Learn how long leases are, and listen for the ends of jobs. Waits for the bus."""
        await self._ack_waits.read_first()
        self._following = [asyncio.create_task(self._ack_waits.follow())]
        self._following += [asyncio.create_task(turns.watch()) for turns in self._turns.values()]
        await self._nc.subscribe("feed.jobs.*.*.end.*", cb=self._heard_end)

    async def finish(self) -> None:
        """Take nothing new, and return when all that runs is over."""
        self._draining = True
        while self._running:
            await asyncio.wait(set(self._running))

    async def drain(self, grace_seconds: float) -> None:
        """Take nothing new, give what runs some time, then hand it back."""
        self._draining = True
        if self._running:
            await asyncio.wait(set(self._running), timeout=grace_seconds)
        for task in set(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(set(self._running), timeout=10)
        await end_tasks(*self._following)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LET_GO_SECONDS):
                await asyncio.gather(*(turns.let_go() for turns in self._turns.values()))
        await self._settlement.close()

    async def take(self, message: Msg, work: Callable[[], Awaitable[Any]]) -> None:
        """Do the work of one message under its lease, and settle the message.

        Raises:
            StopConsume: this slot shall take no more, because the process is about to end. Nothing else, unless cancelled.
        """
        if self._draining:
            await self._settlement.handed_back(message)
            raise StopConsume
        try:
            org, job, token = split_job_subject(message.subject)
        except ValueError:
            await self._settlement.bury(message, "-", "-", "no subject of a job")
            return
        task = asyncio.create_task(self._attend(message, org, job, token, work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.wait({task})
        if turns := self._turns.get(message.metadata.consumer):
            await turns.opened()
            if not self._draining:
                await turns.call_back()
        if self._draining:
            # Else the slot asks for the next message, and is given the one that it has just handed back.
            raise StopConsume

    async def _attend(self, message: Msg, org: str, job: str, token: str, work: Callable[[], Awaitable[Any]]) -> None:
        side_work = self._side_work or token.startswith("end.")
        with (
            structlog.contextvars.bound_contextvars(organization=org, job=job, work=token),
            working_on(message, org, job) as span,
        ):
            log = structlog.get_logger()
            turns = self._turns.get(message.metadata.consumer)
            turn: Turn | None = None
            begun = asyncio.get_running_loop().time()
            delivery = Delivery(message)
            try:
                before = await self._settlement.check_deliveries(message, side_work=side_work)
                if turns:
                    granted = await turns.begin(message, org, crashes=before.crashes)
                    if isinstance(granted, PutOff):
                        delivery.is_put_off(granted.reason)
                        await self._settlement.handed_back(message, delay=granted.seconds)
                        return
                    turn = granted
                if before.crashes:
                    work = partial(self._alone, message, work, turns, turn)
                begun = asyncio.get_running_loop().time()
                delivery.begins()
                span.begins()
                with (
                    self.begun.working_on(message) as begun_work,
                    making(before.known.next(self.begun.worker, began=begun_work.since, silent=before.crashes)),
                    reporting(self._settlement.reporter(message)),
                ):
                    await self._leased(message, org, job, work, turn, watch_end=not side_work)
                delivery.outcome = "done"
                await self._settlement.done(message)
            except asyncio.CancelledError:
                delivery.outcome = "handed_back"
                await log.ainfo("work handed back")
                await self._settlement.handed_back(message)
            except _Stopped as stopped:
                delivery.outcome = _STOPPED[stopped.reason]
                await log.ainfo("work stopped", reason=stopped.reason)
                span.stopped(stopped.reason)
                if stopped.reason == "ended":
                    await self._settlement.done(message)
                elif turns and turn and stopped.reason == "turn":
                    await self._settlement.handed_back(message, delay=turns.put_off(turn))
                else:
                    await self._settlement.lease_lost(message)
            except JobEnded:
                delivery.outcome = "ended"
                await self._settlement.done(message)
            except Exception as error:
                delivery.outcome = "handed_back" if isinstance(error, ComeAgain) else delivery.outcome
                await self._settlement.failed(
                    message, org, job, error, side_work=side_work, held=asyncio.get_running_loop().time() - begun
                )
            finally:
                delivery.over()
                if turns and turn:
                    turns.end(turn)

    async def _alone(
        self, message: Msg, work: Callable[[], Awaitable[Any]], turns: Turns | None, turn: Turn | None
    ) -> Any:
        """Do the work of a suspect: with nothing beside it that could be taken for what kills workers, or die with it."""
        if turns and turn:
            await turns.alone(turn)
        await self._settlement.runs_alone(message)
        return await work()

    async def _leased(
        self,
        message: Msg,
        org: str,
        job: str,
        work: Callable[[], Awaitable[Any]],
        turn: Turn | None,
        *,
        watch_end: bool,
    ) -> None:
        self._users[org, job] += 1
        tasks = [asyncio.ensure_future(work()), asyncio.create_task(self._keep(message))]
        if watch_end:
            tasks.append(asyncio.create_task(self._watch_end(message.metadata.consumer, org, job)))
        if turn:
            tasks.append(asyncio.create_task(_until_over(turn)))
        worker, *guards = tasks
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not worker.done():
                raise _Stopped(next(guard.result() for guard in guards if guard.done()))
            await worker
        finally:
            # Whatever ends this, the work must be over before its message is settled: two must never work on one piece.
            worker.cancel()
            await end_tasks(*guards, patience=0.1)
            await end_tasks(worker, patience=5)
            self._forget(org, job)

    def _forget(self, org: str, job: str) -> None:
        self._users[org, job] -= 1
        if self._users[org, job] == 0:
            del self._users[org, job]
            self._ended.pop((org, job), None)

    async def _keep(self, message: Msg) -> str:
        """Heartbeat until the lease is lost. It counts from when a heartbeat was sent that is known to have arrived."""
        loop = asyncio.get_running_loop()
        kept = loop.time()
        while True:
            sent = loop.time()
            # The server may have been told another one since the last round.
            lease = self._ack_waits.of(message.metadata.consumer)
            left = kept + lease * _LEASE_TRUSTED - sent
            if left <= 0:
                return "lost"
            with suppress(NatsError, asyncio.TimeoutError):
                await self._nc.request(message.reply, _HEARTBEAT, timeout=min(left, lease / 6))
                kept = sent
            pause = lease / (3 if kept == sent else 10)
            await self._ack_waits.pause(min(pause, max(0.0, kept + lease * _LEASE_TRUSTED - loop.time())))

    async def _watch_end(self, consumer: str, org: str, job: str) -> str:
        """Return when the job has ended: heard, or, since what is heard over core NATS may be missed, read."""
        heard = self._ended[org, job]
        while not heard.is_set():
            with suppress(NatsError, asyncio.TimeoutError):
                end = await self._log.end_of(org, job)
                if end is not None and not isinstance(end.event, Completed):
                    break
            with suppress(TimeoutError):
                async with asyncio.timeout(self._ack_waits.of(consumer) / 3):
                    await heard.wait()
        return "ended"

    async def _heard_end(self, message: Msg) -> None:
        org, job, token = split_job_subject(message.subject)
        # `completed` is said by work of the job itself, which must not be stopped by its own success.
        if (org, job) in self._users and token != Completed.subject:
            self._ended[org, job].set()


async def _until_over(turn: Turn) -> str:
    await turn.over.wait()
    return "turn"


class _LeasedScope(BaseMiddleware[Any, Any]):
    def __init__(self, message: Any, *, context: Any, runtime: LeaseRuntime) -> None:
        super().__init__(message, context=context)
        self._runtime = runtime

    async def consume_scope(self, call_next: Callable[[Any], Awaitable[Any]], msg: Any) -> Any:
        await self._runtime.take(msg.raw_message, lambda: call_next(msg))

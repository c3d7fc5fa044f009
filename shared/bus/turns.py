"""Turns: who may take a slot of a worker, asked of the queue on the server.

Every process applies the rules (:mod:`shared.bus.slots`) to its own slots, which makes them hold for all of them together. A
message that comes although it is not its turn is handed back for a moment.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.bus.metrics import OutOfTurn
from shared.bus.queue import Queue, Waiting
from shared.bus.slots import UNINTERRUPTED, Slots, Turn, TurnRules
from shared.bus.subjects import split_job_subject
from shared.bus.work import Work

HAND_BACK_SECONDS = 1.0
"""How long a message stays away at the least that was handed back because it was not its turn."""

LONGEST_SECONDS = 60.0
"""How long it stays away at the most: twice as long with each delivery. The process that has handed it back calls it back
before, once it is next; so this counts where that process is killed, or where another one would begin it earlier."""

SUSPECT_SECONDS = 2.0
"""How long a suspect stays away."""

# What has to begin first may lie behind others that are handed back for it, too. Were the first of them back before the last one
# is away, nothing would ever get that far. Handing one back takes some milliseconds.
_SECONDS_FOR_EACH = 0.02
_DOUBLINGS = 10
# At a time, so that no event loop computes for long.
_MOST_CALLED = 8
LOOK_SECONDS = 1.0
"""Between two looks after what was handed back or runs."""
# How long a look at the queue is good for: handing back a row of messages takes one, not one for each.
_SEEN_SECONDS = 0.25


@dataclass(frozen=True)
class PutOff:
    """It is not a message's turn: it has to be handed back for so many seconds.

    Attributes:
        reason: what has to go first.
    """

    seconds: float
    reason: OutOfTurn


class Turns:
    """The turns at one consumer, in one process.

    Args:
        queue: before the consumer.
        slots: how many messages are worked on at the same time.
        resting: tells how many redelivered messages were sent away here for an outage: nobody has to make room for them.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        queue: Queue,
        slots: int,
        rules: TurnRules,
        *,
        resting: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._slots = Slots(slots, rules, clock)
        self._rules = rules
        self._resting = resting
        self._clock = clock
        self._seen: tuple[float, Waiting] | None = None
        self._front = 0

    async def begin(self, message: Msg, org: str, *, crashes: int = 0) -> Turn | PutOff:
        """Take a slot for a message, unless it is not its turn.

        Args:
            crashes: how many workers that had the message were never heard of again.
        """
        sequence, redelivered = message.metadata.sequence.stream, message.metadata.num_delivered > 1
        work = Work.of(message.subject, sequence, message.data, crashes=crashes)
        self._front = max(self._front, sequence)
        self._slots.has_come(work, redelivered=redelivered)
        # The message itself tells how many have never been delivered; with none of them, and none that was handed back, there is
        # nobody to give way to.
        pending = message.metadata.num_pending
        waiting = await self._waiting(pending) if pending or self._slots.away else None
        works = waiting.works if waiting else ()
        before = self._slots.before(work, works) if waiting else []
        if self._must_wait(work, before):
            between = sum(other.sequence < max((first.sequence for first in before), default=0) for other in works)
            seconds = HAND_BACK_SECONDS + _SECONDS_FOR_EACH * (between + len(self._slots.away))
            reason = self._reason(work, before)
            if reason == "suspect":
                seconds = max(seconds, SUSPECT_SECONDS) if work.suspect else seconds
                self._slots.put_off(work, seconds, before)
            else:
                seconds = min(LONGEST_SECONDS, seconds * 2.0 ** min(message.metadata.num_delivered - 1, _DOUBLINGS))
                self._slots.put_off(work, seconds, before, reply=message.reply)
            return PutOff(seconds, reason)
        return self._slots.begin(work, redelivered=redelivered)

    def end(self, turn: Turn) -> None:
        """The work of a slot is over."""
        self._slots.end(turn)

    def put_off(self, turn: Turn) -> float:
        """The message of a turn that was ended early is about to be handed back, for so many seconds."""
        self._slots.put_off(turn.work, HAND_BACK_SECONDS)
        return HAND_BACK_SECONDS

    async def alone(self, turn: Turn) -> None:
        """Return when nothing else runs here; since the turn of a suspect has begun, nothing else has."""
        for other in self._slots.beside(turn):
            await other.ended.wait()

    async def opened(self) -> None:
        """Return when work may begin here: no suspect runs alone. Whoever asks for messages meanwhile keeps them from others."""
        while turn := self._slots.closed_by:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._rules.alone_seconds):
                    await turn.ended.wait()

    async def call_back(self) -> None:
        """Have come again what was handed back here and is next for a free slot. To be called before it asks for a message."""
        if self._slots.free and self._slots.callable and not self._slots.closed_by:
            waiting = await self._waiting(0)
            await self._call(waiting.works if waiting else (), self._slots.free)

    async def let_go(self) -> None:
        """Have all come again that was handed back here: this process will not look after it any more."""
        while self._slots.callable:
            await self._call((), _MOST_CALLED)

    async def watch(self) -> None:
        """Look after what was handed back, and what takes too long, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look_after()

    async def look_after(self) -> None:
        """Call back what somebody would begin, and interrupt what takes too long while others wait."""
        if not self._slots.full:
            await self.call_back()
            return
        if self._rules == UNINTERRUPTED and not self._slots.callable:
            return
        waiting = await self._look()
        if waiting is None:
            return
        if waiting.idle:
            await self._call(waiting.works, waiting.idle)
            return
        known = self._slots.redelivered + self._resting()
        ended = self._slots.interrupt((*waiting.works, *self._slots.away), strangers=waiting.redelivered > known)
        if ended:
            org, job, _ = split_job_subject(ended.work.subject)
            await structlog.get_logger().ainfo("turn is over", organization=org, job=job)

    async def _call(self, waiting: Sequence[Work], count: int) -> None:
        # First of all noted as called, since another slot may become free meanwhile. What is not reached comes by itself.
        for reply in self._slots.call_back(waiting, min(count, _MOST_CALLED)):
            with suppress(NatsError, TimeoutError):
                await self._queue.call_back(reply)

    def _must_wait(self, work: Work, before: list[Work]) -> bool:
        if self._slots.closed_by:
            return True
        if work.suspect:
            return bool(before) or not self._slots.may_be_alone(work)
        # Where there are slots for all that has to begin first as well, none has to be idle for it.
        return bool(before) and len(before) >= self._slots.free

    def _reason(self, work: Work, before: list[Work]) -> OutOfTurn:
        if work.suspect or self._slots.closed_by:
            return "suspect"
        return "urgency" if all(other.org == work.org for other in before) else "share"

    async def _waiting(self, pending: int) -> Waiting | None:
        """Who waits, as seen a moment ago perhaps; None where nobody has to give way.

        Args:
            pending: how many messages have never been delivered.
        """
        if self._seen and self._clock() - self._seen[0] < _SEEN_SECONDS:
            works = tuple(work for work in self._seen[1].works if work.sequence > self._front)
            if works or not pending:
                return replace(self._seen[1], works=works)
        waiting = await self._look()
        return None if waiting and waiting.idle else waiting

    async def _look(self) -> Waiting | None:
        # Without an answer from the bus there are other troubles than whose turn it is.
        with suppress(NatsError, TimeoutError):
            waiting = await self._queue.look()
            # Where somebody idles, what waits is on its way to him.
            self._seen = None if waiting.idle else (self._clock(), waiting)
            return waiting
        return None

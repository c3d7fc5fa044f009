"""Work that waits for somebody's storage, source or work space: for how long, when it is tried again, and what is shown of it.

How long a message's work has waited is kept where all workers see it (:mod:`shared.bus.attempts`), each reason by itself, and
ends when the work has got something done with what it waited for (:mod:`shared.bus.headway`). What is shown of it travels
beside the log, as progress does: the newest value of each piece of work, an empty one when it waits no longer.
"""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.bus.attempts import AttemptBook, Attempts
from shared.bus.headway import Report, Thing
from shared.bus.subjects import split_job_subject, waiting_subject
from shared.bus.topology import DAY, PROGRESS
from shared.errors import ERRORS, PUBLIC_WORDING, Outage, Postponed
from shared.waiting import MOST_COUNTED, Wait, Waiting

LONGEST_POSTPONEMENT = DAY
"""Seconds that work waits for room: others have it, and give it back when they end, which may take them hours."""

SHORTEST_DELAY, LONGEST_DELAY = 2.0, 60.0
"""Seconds until the next try. In between it is a tenth of the time waited, or as long as the last try took, if that is longer:
so no more than half of a slot's time goes to a peer that hangs."""

_LONGEST_RETRY_AFTER = MOST_COUNTED
_JITTER = 0.1
_SHOW_SECONDS = 2.0


class Outages:
    """The outages that the messages of one worker process wait for.

    Args:
        service: who waits. longest: seconds after which an outage is given up.
    """

    def __init__(
        self,
        client: Client,
        book: AttemptBook,
        *,
        service: str,
        longest: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._js = client.jetstream(timeout=_SHOW_SECONDS)
        self._book = book
        self._service = service
        self._longest = longest
        self._now = now
        # When what this process has sent away comes again, seconds on the monotonic clock, by consumer and place in the stream.
        self._resting: dict[tuple[str, int], float] = {}

    async def wait(self, message: Msg, error: Outage, *, held: float) -> float:
        """The work has failed for an outage.

        Args:
            held: seconds that this try took.

        Returns:
            seconds until it shall be tried again.

        Raises:
            Outage: it has lasted too long; the error with which the job ends.
            BusUnavailable: the bus is in the way.
        """
        now = self._now()
        deliveries = message.metadata.num_delivered
        known = await self._book.change(message, lambda known: known.waiting(error.code, now, deliveries=deliveries))
        wait, longest = known.waits[error.code], self._longest_of(error)
        left = longest - wait.seconds
        if left <= 0:
            raise given_up(error, wait.seconds)
        await self._show(message, self._shown(error.code, error.cause, error.remedy, wait, longest))
        delay = delay_after(wait.seconds, held, error.retry_after)
        await structlog.get_logger().ainfo(
            "waiting", code=error.code, detail=error.detail, waited=round(wait.seconds), again_in=round(delay, 1)
        )
        # The last try comes when the time is over, not a minute before or after.
        delay = min(delay, left)
        self._rest(message, delay)
        return delay

    def resting(self, consumer: str) -> int:
        """How many redelivered messages of a consumer were sent away here for a while that is not over: they want no slot."""
        now = time.monotonic()
        return sum(name == consumer and due > now for (name, _), due in self._resting.items())

    def reporter(self, message: Msg) -> Report:
        """What the work of a message reports its headway to."""
        told: set[tuple[Thing, bool]] = set()

        async def report(thing: Thing, *, kept: bool) -> None:
            # Of a first delivery nobody has said that it waits.
            if (thing, kept) in told or message.metadata.num_delivered == 1:
                return
            told.add((thing, kept))
            with suppress(NatsError):
                await self._over(message, thing, kept=kept)

        return report

    async def settled(self, message: Msg, known: Attempts) -> None:
        """The message is settled: nothing waits any more."""
        if known.waits:
            await self._show(message, None)

    async def _over(self, message: Msg, thing: Thing, *, kept: bool) -> None:
        def concerned(code: str) -> bool:
            return code.startswith(thing)

        known = await self._book.of(message)
        if not any(map(concerned, known.waits)):
            return
        if kept:
            await self._book.change(message, lambda known: known.without(concerned))
        # Of a full work space only the newest failure is shown, which was not this one.
        others = {code: wait for code, wait in known.waits.items() if not code.startswith(("workspace", thing))}
        code = min(others, key=lambda code: others[code].since, default=None)
        shown = (
            self._shown(code, ERRORS[code].cause, ERRORS[code].remedy, others[code], self._longest) if code else None
        )
        await self._show(message, shown)

    def _rest(self, message: Msg, seconds: float) -> None:
        now = time.monotonic()
        for key in [key for key, due in self._resting.items() if due <= now]:
            del self._resting[key]
        # The server counts as redelivered what has come twice.
        if message.metadata.num_delivered > 1:
            self._resting[message.metadata.consumer, message.metadata.sequence.stream] = now + seconds

    def _longest_of(self, error: Outage) -> float:
        if isinstance(error, Postponed):
            return max(self._longest, LONGEST_POSTPONEMENT)
        return self._longest if error.longest is None else min(self._longest, error.longest)

    def _shown(self, code: str, cause: str, remedy: str, wait: Wait, longest: float) -> Waiting:
        # What the operator has to mend is no advice to whoever posted the job, which goes on by itself.
        advice = f" {remedy}" if ERRORS[code].who == "you" else ""
        return Waiting(
            code=code,
            message=f"{cause.rstrip('.')}. The job waits, and goes on by itself.{advice}",
            service=self._service,
            since=wait.since,
            until=wait.until(longest),
        )

    async def _show(self, message: Msg, waiting: Waiting | None) -> None:
        org, job, token = split_job_subject(message.subject)
        body = waiting.model_dump_json().encode() if waiting else b""
        # Nothing depends on it, and a stream of before this version has no place for it.
        with suppress(NatsError, TimeoutError, OSError):
            await self._js.publish(waiting_subject(org, job, token), body, stream=PROGRESS, timeout=_SHOW_SECONDS)


def delay_after(waited: float, held: float, retry_after: float | None) -> float:
    """Seconds until the next try of work that has waited so long, with a little chance in it, so that not all come at once.

    Args:
        held: seconds that the last try took. retry_after: seconds that the other side asked for.
    """
    delay = min(max(SHORTEST_DELAY, waited / 10, held), LONGEST_DELAY)
    delay *= random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
    return max(delay, min(retry_after or 0.0, _LONGEST_RETRY_AFTER))


def given_up(error: Outage, waited: float) -> Outage:
    """The error with which a job ends that has waited so many seconds for nothing."""
    for_how_long = f"It was tried again for {_spoken(waited)}."
    cause = error.cause if error.cause == PUBLIC_WORDING else f"{error.cause} {for_how_long}"
    return Outage(error.code, f"{for_how_long} {error.detail}".rstrip(), cause=cause, remedy=error.remedy)


def _spoken(seconds: float) -> str:
    for unit, length, least in (("hours", 3600, 7200), ("minutes", 60, 120)):
        if seconds >= least:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"

"""Attempts: what is due on a queue is sent, in order, and what came of it is recorded.

Every write is made so that a SIGKILL between any two lines loses nothing: the wake-up call is acknowledged last, and who
gets it again finds in the queue what is left to do. A request whose outcome was not written down is made again, with the
same ``webhook-id``.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from yarl import URL

from services.notifier import delivery_queue
from services.notifier.concurrency import ConcurrencyLimits
from services.notifier.delivery_queue import Busy, Claim, DeliveryQueue, Later, Pending, Send, Supersede
from services.notifier.hooks import Hooks
from services.notifier.payload import make_payload
from services.notifier.publisher import Publisher
from services.notifier.queue_store import DeliveryQueues, Held
from services.notifier.receiver import Answer, Receiver
from services.notifier.schedule import next_attempt_at
from shared import events as ev
from shared.bus.errors import BusUnavailable
from shared.bus.joblog import JobLog
from shared.deliveries import DeliveryAttempted, Hook, Outcome, WebhookAttempt

# A claim outlasts the longest request by this; clocks of hosts may differ by as much.
CLAIM_MARGIN = timedelta(seconds=5)
HTTP_GONE = 410


class Deliverer:
    """Makes attempts.

    Args:
        delays: seconds before each attempt, counted from the one before.
        timeout: seconds that the receiver allows for a request.
    """

    def __init__(
        self,
        log: JobLog,
        hooks: Hooks,
        queues: DeliveryQueues,
        publisher: Publisher,
        receiver: Receiver,
        limits: ConcurrencyLimits,
        *,
        delays: Sequence[float],
        timeout: float,
        clock: Callable[[], datetime] = ev.now,
    ) -> None:
        self._log = log
        self._hooks = hooks
        self._queues = queues
        self._publisher = publisher
        self._receiver = receiver
        self._limits = limits
        self._delays = delays
        self._timeout = timedelta(seconds=timeout)
        self._now = clock

    async def deliver(self, attempt: WebhookAttempt) -> None:
        """Do what an attempt calls for: send what a user asked for, and whatever is due on its queue."""
        wake_up = attempt.model_copy(update={"redelivery": None})
        if attempt.redelivery is None:
            # The state is in the queue since it was announced, unless somebody emptied the bucket.
            due = self._now()
            held = await self._queues.change(
                attempt, lambda queue: delivery_queue.announce(queue, attempt.status, attempt.sequence, due)
            )
        else:
            held = await self._queues.change(attempt, lambda queue: queue)
            sent = await self._send(attempt, held, None)
            if sent is None:
                return
            if attempt.test:
                # Nothing else is told of a sample job.
                await self._queues.forget(attempt)
                return
            held = sent
        await self._advance(wake_up, held)

    async def _advance(self, wake_up: WebhookAttempt, held: Held) -> None:
        while True:
            step = delivery_queue.next_step(held.queue, self._now())
            match step:
                case Send(pending):
                    sent = await self._send(_attempt(wake_up, pending), held, pending)
                    if sent is None:
                        return
                    held = sent
                case Supersede(pending):
                    reason = "A newer state was accepted before, or may have been."
                    held = await self._close(_attempt(wake_up, pending), held, pending, "superseded", reason)
                case Busy(until):
                    # The other one goes on with what is due when he is done; this is for the case that he has died.
                    await self._publisher.put_at(wake_up, until)
                    return
                case Later(waiting):
                    for pending in waiting:
                        await self._publisher.put_at(_attempt(wake_up, pending), pending.due)
                    return
                case _:
                    return

    async def _send(self, attempt: WebhookAttempt, held: Held, pending: Pending | None) -> Held | None:
        """Make the request, if the hook is there, the host has room and the queue is free.

        Args:
            pending: what is sent, or None for a redelivery.

        Returns:
            the queue to go on with, or None when the attempt was put off.
        """
        hook = await self._hooks.find(attempt.org, attempt.hook, even_disabled=pending is None)
        if hook is None:
            return await self._close(attempt, held, pending, "gave_up", "The webhook was removed or disabled.")
        crowded = [("host", _host(hook.url)), ("organization", attempt.org)]
        wait = await self._limits.enter(crowded)
        if wait:
            await self._publisher.put_at(attempt, self._now() + timedelta(seconds=wait))
            return None
        answer: Answer | None = None
        try:
            payload = await make_payload(self._log, attempt)
            until = self._now() + self._timeout + CLAIM_MARGIN
            mine = Claim(token=secrets.token_hex(8), sequence=attempt.sequence, until=until)
            held = await self._queues.change(attempt, self._claiming(pending, mine), known=held)
            if held.queue.claim != mine:
                return await self._yield(attempt, held, pending)
            try:
                begin = self._now()
                if begin + self._timeout > until:
                    # The bus was so slow that the claim might run out during the request.
                    raise BusUnavailable("slower than the claim allows")
                answer = await self._receiver.post(hook.url, hook.secrets_at(begin), payload)
                return await self._settle(attempt, held, pending, hook, mine, answer, begin)
            except BaseException:
                await self._release(attempt, mine)
                raise
        finally:
            self._limits.leave(
                crowded, seconds=answer.seconds if answer else None, answered=not (answer and answer.silent)
            )

    def _claiming(self, pending: Pending | None, mine: Claim) -> Callable[[DeliveryQueue], DeliveryQueue]:
        now = self._now()
        if pending is None:
            return lambda queue: delivery_queue.claim_anyway(queue, mine, now)
        return lambda queue: delivery_queue.claim(queue, pending, mine, now)

    async def _yield(self, attempt: WebhookAttempt, held: Held, pending: Pending | None) -> Held | None:
        """Somebody else has claimed the queue, or changed what is to be done."""
        if pending is not None:
            return held
        until = held.queue.claim.until if held.queue.claim else self._now()
        await self._publisher.put_at(attempt, until)
        return None

    async def _settle(
        self,
        attempt: WebhookAttempt,
        held: Held,
        pending: Pending | None,
        hook: Hook,
        mine: Claim,
        answer: Answer,
        begin: datetime,
    ) -> Held:
        gone = answer.status == HTTP_GONE and await self._hooks.note_gone(attempt.org, hook)
        again = None
        if answer.error and not gone and pending is not None:
            again = next_attempt_at(attempt.attempt, self._delays, self._now(), answer.retry_after)
        outcome: Outcome = "disabled" if gone else _outcome(answer, again, redelivery=pending is None)
        fact = _fact(attempt, outcome, answer, begin, again)
        # The fact goes first: if the queue cannot be written, the request is made again and recorded again, as it was.
        await self._publisher.record(fact)
        await structlog.get_logger().ainfo(
            "webhook attempted",
            hook=attempt.hook,
            status=attempt.status,
            attempt=attempt.attempt,
            outcome=outcome,
            answer=answer.status,
            error=answer.error,
            seconds=round(answer.seconds, 3),
        )
        sent = pending or Pending(status=attempt.status, sequence=attempt.sequence, attempt=0, due=begin)
        return await self._queues.change(
            attempt,
            lambda queue: delivery_queue.settle(queue, mine.token, sent, outcome, again, uncertain=answer.uncertain),
            known=held,
        )

    async def _close(
        self, attempt: WebhookAttempt, held: Held, pending: Pending | None, outcome: Outcome, reason: str
    ) -> Held:
        """Record that a state will not be sent any more, and take it out of the queue."""
        fact = _fact(attempt, outcome, Answer(error=reason), self._now(), None)
        await self._publisher.record(fact, once=True)
        if pending is None:
            return held
        await self._publisher.cancel(attempt)
        return await self._queues.change(attempt, lambda queue: delivery_queue.drop(queue, pending), known=held)

    async def _release(self, attempt: WebhookAttempt, mine: Claim) -> None:
        """Let others go on at once where this attempt is broken off; if even that fails, the claim runs out by itself."""

        async def release() -> None:
            # Here, and not around the shield: who waits there may be gone when the bus turns out to be.
            with suppress(BusUnavailable):
                await self._queues.change(attempt, lambda queue: delivery_queue.release(queue, mine.token))

        await asyncio.shield(release())


def _attempt(wake_up: WebhookAttempt, pending: Pending) -> WebhookAttempt:
    return wake_up.model_copy(
        update={"status": pending.status, "sequence": pending.sequence, "attempt": pending.attempt}
    )


def _outcome(answer: Answer, again: datetime | None, *, redelivery: bool) -> Outcome:
    if answer.error is None:
        return "delivered"
    return "failed" if again or redelivery else "gave_up"


def _fact(
    attempt: WebhookAttempt, outcome: Outcome, answer: Answer, at: datetime, again: datetime | None
) -> DeliveryAttempted:
    return DeliveryAttempted(
        org=attempt.org,
        job=attempt.job,
        hook=attempt.hook,
        message_id=attempt.message_id,
        status=attempt.status,
        sequence=attempt.sequence,
        attempt=attempt.attempt,
        at=at,
        outcome=outcome,
        response_status=answer.status,
        error=answer.error,
        duration_ms=round(answer.seconds * 1000),
        next_attempt_at=again,
        response=answer.head,
        test=attempt.test,
    )


def _host(url: str) -> str:
    try:
        return URL(url).host or ""
    except ValueError:
        return ""

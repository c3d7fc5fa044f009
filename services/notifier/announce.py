"""From an event to attempts: each enabled hook of the organization is to be told the job's new status."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from services.notifier.delivery_queue import announce
from services.notifier.hooks import Hooks
from services.notifier.publisher import Publisher
from services.notifier.queue_store import Announced, DeliveryQueues
from shared import events as ev
from shared.bus.errors import bus_calls
from shared.bus.joblog import JobLog
from shared.deliveries import Hook, WebhookAttempt
from shared.events import Recorded
from shared.job import FINISHED, TOLD_AFTER, Job, Told, apply


class Announcer:
    """Puts the states of jobs into the queues of hooks, in the log's order for each job.

    Events come from several slots and processes, and one that died in the middle comes again half a minute later. So each
    job has a note of how far it was announced; who finds that an earlier state is missing there announces it first.

    Args:
        first_delay: seconds before the first attempt.
    """

    def __init__(
        self,
        log: JobLog,
        hooks: Hooks,
        queues: DeliveryQueues,
        publisher: Publisher,
        *,
        first_delay: float = 0,
        clock: Callable[[], datetime] = ev.now,
    ) -> None:
        self._log = log
        self._hooks = hooks
        self._queues = queues
        self._publisher = publisher
        self._first_delay = timedelta(seconds=first_delay)
        self._now = clock

    async def announce(self, event: ev.Event, sequence: int) -> None:
        """Have every enabled hook told what this event, at its place in the log, has made of the job."""
        before = await self._queues.announced(event.org, event.job)
        if before and before.sequence >= sequence:
            return
        early = event.early_playback if isinstance(event, ev.Created) else bool(before and before.early)
        this = Announced(status=TOLD_AFTER[type(event)], sequence=sequence, early=early)
        missed = [] if _follows(this, before) else await self._missed(event, this, before)
        for state in [*missed, this]:
            hooks = await self._hooks.enabled(event.org)
            await asyncio.gather(*(self._tell(hook, event, state) for hook in hooks))
            await self._queues.note_announced(event.org, event.job, state)

    async def _missed(self, event: ev.Event, this: Announced, before: Announced | None) -> list[Announced]:
        async with bus_calls(10):
            recorded = await self._log.read(event.org, event.job, at_least=this.sequence)
        known = before.sequence if before else 0
        return [state for state in status_changes(recorded) if known < state.sequence < this.sequence]

    async def _tell(self, hook: Hook, event: ev.Event, state: Announced) -> None:
        attempt = WebhookAttempt(
            org=event.org, job=event.job, hook=hook.id, status=state.status, sequence=state.sequence
        )
        due = self._now() + self._first_delay
        # The queue first: whoever gets the attempt finds the state there, with all those before it.
        await self._queues.change(attempt, lambda queue: announce(queue, state.status, state.sequence, due))
        await self._publisher.put(attempt)


def status_changes(recorded: Sequence[Recorded]) -> list[Announced]:
    """The states that a job has been through, each with the place of the event that brought it."""
    changes: list[Announced] = []
    job: Job | None = None
    for item in recorded:
        before, job = job, apply(job, item.event)
        early = job.early_playback
        if before is None or before.status != job.status:
            changes.append(Announced(status=job.status, sequence=item.sequence, early=early))
        elif before.playable_at != job.playable_at:
            changes.append(Announced(status="playable", sequence=item.sequence, early=early))
    return changes


def _follows(this: Announced, before: Announced | None) -> bool:
    """Whether nothing can lie between two states. A job can be cancelled before it starts, so an end may follow either."""
    if this.status == "queued":
        return True
    if before is None:
        return False
    if this.early and this.status in FINISHED:
        # It may have been playable before.
        return before.status == "playable"
    return _rank(before.status) == _rank(this.status) - 1


def _rank(status: Told) -> int:
    return 2 if status in FINISHED or status == "playable" else 1 if status == "transcoding" else 0

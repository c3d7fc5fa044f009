"""What operators see and do over REST: workers, queues and dead letters of the whole server."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from nats.aio.client import Client

from services.api.contract import operator_models as shown
from services.api.contract.errors import Conflict, NotFound
from services.api.contract.listing import Window
from services.api.database.pool import Database
from services.api.operator import dead_letters as dead
from services.api.operator.drain import known_workers, living_workers
from services.api.operator.replay import NotReplayable, Replay
from services.api.projection.queues import BusQueue, look_at_admission, look_at_queue
from shared.bus.clock import bus_time
from shared.bus.errors import bus_calls
from shared.bus.roster import DrainOrder, Roster, UnderWay, Worker
from shared.bus.subjects import split_job_subject
from shared.bus.topology import (
    DURABLES,
    FETCHER,
    JANITOR,
    NOTIFIER,
    TRANSCODER,
    UPLOADER,
    WEBHOOK_ATTEMPTS,
    WORKERS_BUCKET,
    Durable,
)
from shared.events import PartRequested, PartTranscoded

_SERVICE = {
    FETCHER: "fetcher",
    TRANSCODER: "transcoder",
    UPLOADER: "uploader",
    JANITOR: "uploader",
    NOTIFIER: "notifier",
    WEBHOOK_ATTEMPTS: "notifier",
}
_OF_A_PART = (PartRequested.subject, PartTranscoded.subject)


class Desk:
    """All calls raise ``BusUnavailable`` or ``DatabaseDown`` while what they need is out of reach.

    Args:
        places: how many jobs may run at the same time.
    """

    def __init__(self, client: Client, database: Database, replay: Replay, *, places: int) -> None:
        self._nc = client
        self._database = database
        self._letters = dead.DeadLetters(client)
        self._replay = replay
        self._places = places

    async def workers(self) -> list[shown.Worker]:
        """The workers that were heard of within the last hour and have not ended in order, by service and host."""
        workers = await known_workers(self._nc)
        now = await bus_time(self._nc, WORKERS_BUCKET)
        return [_worker(worker, alive=worker.alive(now)) for worker in workers]

    async def drain(self, worker_id: str, *, stay: bool) -> shown.Worker:
        """Have a worker take no new work, and end when its own is done. It is told, and not waited for.

        Raises:
            NotFound: no such worker is alive.
        """
        worker = next((one for one in await living_workers(self._nc) if one.id == worker_id), None)
        if worker is None:
            raise NotFound("No such worker is alive.")
        await Roster(self._nc).order(worker, DrainOrder(stay=stay))
        return _worker(worker, alive=True)

    async def queues(self) -> list[shown.Queue]:
        """What waits for admission and for each service."""
        living = [worker for worker in await self.workers() if worker.state != "lost"]
        async with self._database.connection() as connection:
            admission = await look_at_admission(connection)
        first = shown.Queue(
            name="admission",
            service="api",
            waiting=admission.waiting,
            oldest_seconds=admission.oldest_seconds,
            under_way=admission.running,
            repeated=0,
            workers=1,
            slots=self._places,
            idle_slots=max(0, self._places - admission.running),
        )
        async with bus_calls():
            found = [(durable, await look_at_queue(self._nc, durable)) for durable in DURABLES]
        return [first, *(_queue(durable, queue, living) for durable, queue in found)]

    async def dead_letters(self, wanted: dead.Wanted, window: Window) -> tuple[int, list[shown.DeadLetter]]:
        """How many dead letters fit, and a page of them, newest first."""
        count = await self._letters.count(wanted)
        if window.offset >= count:
            return count, []
        found = await self._letters.newest(wanted, window.size, window.offset)
        return count, [_letter(letter) for letter in found]

    async def dead_letter(self, number: int) -> shown.DeadLetterDetail:
        """A dead letter with the message that is in it.

        Raises:
            NotFound: it is not there.
        """
        letter = await self._find(number)
        body: object = letter.body.decode(errors="replace")
        with suppress(ValueError):
            body = json.loads(letter.body)
        return shown.DeadLetterDetail(**dict(_letter(letter)), body=body)

    async def requeue(self, number: int) -> shown.Requeued:
        """Have done once more what was given up, and drop the dead letter.

        Raises:
            NotFound: it is not there. Conflict: it cannot be done; the dead letter stays.
        """
        letter = await self._find(number)
        try:
            replayed = await self._replay(letter)
        except NotReplayable as reason:
            raise Conflict(f"Not requeued: {reason}.") from None
        await self._letters.drop([letter])
        return shown.Requeued(message=replayed.what, job=replayed.job)

    async def drop(self, number: int) -> None:
        """Remove a dead letter for good.

        Raises:
            NotFound: it is not there.
        """
        if not await self._letters.drop([await self._find(number)]):
            raise NotFound()

    async def _find(self, number: int) -> dead.DeadLetter:
        letter = await self._letters.find(number)
        if letter is None:
            raise NotFound()
        return letter


def _worker(worker: Worker, *, alive: bool) -> shown.Worker:
    state: shown.WorkerState = "working" if worker.running else "idle"
    if worker.draining or not alive:
        state = "draining" if alive else "lost"
    return shown.Worker(
        id=worker.id,
        service=worker.service,
        host=worker.host,
        pid=worker.pid,
        started=worker.started,
        seen=worker.at,
        state=state,
        slots=worker.slots,
        running=[_under_way(work) for work in worker.running],
    )


def _under_way(work: UnderWay) -> shown.UnderWay:
    org, job, what = "", "", work.subject
    # What another version works on may be called otherwise.
    with suppress(ValueError):
        org, job, what = split_job_subject(work.subject)
    kind, _, part = what.partition(".")
    return shown.UnderWay(
        queue=work.consumer,
        organization=org,
        job=job,
        work=what,
        part=part if kind in _OF_A_PART else None,
        since=work.since,
        attempt=work.delivery,
    )


def _queue(durable: Durable, queue: BusQueue, living: Sequence[shown.Worker]) -> shown.Queue:
    service = _SERVICE[durable]
    workers = Counter(worker.service for worker in living)
    return shown.Queue(
        name=durable.name,
        service=service,
        waiting=queue.messages,
        oldest_seconds=queue.oldest_seconds,
        under_way=queue.unsettled,
        repeated=queue.redelivered,
        workers=workers[service],
        slots=sum(worker.slots for worker in living if worker.service == service),
        idle_slots=queue.pulls,
    )


def _letter(letter: dead.DeadLetter) -> shown.DeadLetter:
    return shown.DeadLetter(
        id=letter.number,
        at=letter.at,
        service=letter.service,
        organization=letter.org,
        job=letter.job,
        subject=letter.subject,
        reason=letter.reason,
    )

"""Admission: which waiting jobs may begin.

Fair between organizations: the next place goes to the one with the fewest jobs under way, among equals to the one that
was served longest ago. Inside one, by priority and then by age. So whoever sends a thousand jobs fills what others leave
free, and waits behind nobody but himself.

An organization whose work waits for room in the work space gets no further job admitted until it has it: more jobs would only
wait there too. The others go on, so that nobody can stop them with a source that is as large as the disk.
"""

import heapq
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from services.api.database.pool import Connection
from shared.bus.joblog import JobEnded, JobLog
from shared.events import Admitted

_ACTIVE = "select org, count(*) as jobs from jobs where admitted and status in ('queued', 'transcoding') group by org"
# The organizations are found by hopping through the index from one to the next, and of each only the first few jobs are
# read, so this costs the same with ten jobs waiting as with a hundred thousand.
_WAITING = """
    with recursive waiting (org) as (
        (select org from jobs where not admitted and status = 'queued' order by org limit 1)
        union all
        select (
            select jobs.org from jobs
            where not admitted and status = 'queued' and jobs.org > waiting.org order by jobs.org limit 1
        )
        from waiting where waiting.org is not null
    )
    select first.org, first.id
    from waiting cross join lateral (
        select org, id, priority, created from jobs
        where jobs.org = waiting.org and not admitted and status = 'queued'
        order by priority desc, created, id limit $1
    ) as first
    where waiting.org is not null
    order by first.org, first.priority desc, first.created, first.id
"""


@dataclass(frozen=True)
class Caps:
    """How many jobs may be under way: in all, and of one organization."""

    active: int
    active_per_organization: int


@dataclass(frozen=True)
class WaitingJob:
    """A job that may be admitted."""

    org: str
    id: str


def choose(
    waiting: Iterable[WaitingJob], active: Mapping[str, int], caps: Caps, served: Mapping[str, int] | None = None
) -> list[WaitingJob]:
    """The jobs to admit now, in their order.

    Args:
        waiting: those of one organization in the order in which it wants them.
        active: number of jobs under way by organization.
        served: when each organization was last served, on any clock that only grows; one that is missing never was.
    """
    queues: dict[str, deque[WaitingJob]] = {}
    for job in waiting:
        queues.setdefault(job.org, deque()).append(job)
    served = served or {}
    # Ordered by who comes next; the organization's code only makes the order definite.
    turns = [(active.get(org, 0), served.get(org, -1), org) for org in queues]
    heapq.heapify(turns)
    turn = max(served.values(), default=0)
    chosen: list[WaitingJob] = []
    free = caps.active - sum(active.values())
    while turns and len(chosen) < free:
        busy, _, org = heapq.heappop(turns)
        if busy >= caps.active_per_organization:
            continue
        chosen.append(queues[org].popleft())
        turn += 1
        if queues[org]:
            heapq.heappush(turns, (busy + 1, turn, org))
    return chosen


@dataclass
class Admission:
    """Lets jobs begin, as far as the caps allow.

    Attributes:
        short_of_room: tells which organizations wait for room in the work space.
        up_to: sequence of the newest admission; until the tables hold it, they show too few jobs under way.
    """

    log: JobLog
    caps: Caps
    short_of_room: Callable[[], Collection[str]] = frozenset
    up_to: int = 0
    _served: dict[str, int] = field(default_factory=dict)
    _clock: int = 0
    _held_back: set[str] = field(default_factory=set)

    async def next_jobs(self, connection: Connection) -> list[WaitingJob]:
        """The jobs to admit now, by what the tables say."""
        active = {row["org"]: row["jobs"] for row in await connection.fetch(_ACTIVE)}
        free = self.caps.active - sum(active.values())
        if free <= 0:
            return []
        rows = await connection.fetch(_WAITING, min(free, self.caps.active_per_organization))
        waiting = [WaitingJob(row["org"], row["id"]) for row in rows]
        held_back = {job.org for job in waiting} & set(self.short_of_room())
        if held_back - self._held_back:
            await structlog.get_logger().ainfo("admission held back", organizations=sorted(held_back))
        self._held_back = held_back
        return choose([job for job in waiting if job.org not in held_back], active, self.caps, self._served)

    async def admit(self, jobs: Iterable[WaitingJob]) -> None:
        """Say of each job that it may begin. Saying it twice does no harm: the log takes it once.

        Raises:
            BusUnavailable: the bus is out of reach; the jobs left over are chosen again.
        """
        for job in jobs:
            try:
                appended = await self.log.append(Admitted(org=job.org, job=job.id))
            except JobEnded:
                # Cancelled while it waited; the projection is about to learn of it.
                continue
            self.up_to = max(self.up_to, appended.recorded.sequence)
            self._clock += 1
            self._served[job.org] = self._clock
            await structlog.get_logger().ainfo("admitted", organization=job.org, job=job.id)

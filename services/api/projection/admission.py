"""Admission: which waiting jobs may begin.

Fair between organizations: the next place goes to the one with the fewest jobs under way for its weight, among equals to
the one that was served longest ago. So places are shared in proportion to the weights, and one with nothing under way comes
first, however little it weighs. Inside one, by priority and then by age. So whoever sends a thousand jobs fills what others
leave free, and waits behind nobody but himself.

An organization whose work waits for room in the work space gets no further job admitted until it has it: more jobs would only
wait there too. The others go on, so that nobody can stop them with a source that is as large as the disk.

A job that waits for a source or a storage which is out of order keeps its place among those of its organization, and leaves
the one among all to others: with a few servers that never answer, somebody could else hold all places for as long as outages
are waited for.
"""

import heapq
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from services.api.contract.quotas import USUAL_WEIGHT, in_force
from services.api.database.pool import Connection
from shared.bus.joblog import JobEnded, JobLog
from shared.events import Admitted

_ACTIVE = "select org, count(*) as jobs from jobs where admitted and status in ('queued', 'transcoding') group by org"
# The organizations are found by hopping through the index from one to the next, and of each only the first few jobs are
# read, so this costs the same with ten jobs waiting as with a hundred thousand. What the operator has set for them is read
# each time, so it holds from the next round on.
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
    select first.org, first.id, organizations.weight, organizations.max_active_jobs
    from waiting left join organizations on organizations.code = waiting.org cross join lateral (
        select org, id, priority, created from jobs
        where jobs.org = waiting.org and not admitted and status = 'queued'
        order by priority desc, created, id
        limit least($1::bigint, nullif(coalesce(organizations.max_active_jobs, $2::bigint), 0))
    ) as first
    where waiting.org is not null
    order by first.org, first.priority desc, first.created, first.id
"""


@dataclass(frozen=True)
class Caps:
    """How many jobs may be under way: in all, and of one organization that has no cap of its own; there 0 is none."""

    active: int
    active_per_organization: int


@dataclass(frozen=True)
class Share:
    """What an organization may have of the places.

    Attributes:
        weight: greater than 0; twice the weight, twice the places.
        cap: its own cap; None takes that of the settings, 0 is none.
    """

    weight: float = USUAL_WEIGHT
    cap: int | None = None


USUAL = Share()
"""Of organizations for which the operator has set nothing."""


@dataclass(frozen=True)
class WaitingJob:
    """A job that may be admitted."""

    org: str
    id: str


def choose(
    waiting: Iterable[WaitingJob],
    active: Mapping[str, int],
    caps: Caps,
    served: Mapping[str, int] | None = None,
    shares: Mapping[str, Share] | None = None,
) -> list[WaitingJob]:
    """The jobs to admit now, in their order.

    Args:
        waiting: those of one organization in the order in which it wants them.
        active: number of jobs under way by organization.
        served: when each organization was last served, on any clock that only grows; one that is missing never was.
        shares: of organizations that are missing it is the usual one.
    """
    queues: dict[str, deque[WaitingJob]] = {}
    for job in waiting:
        queues.setdefault(job.org, deque()).append(job)
    served = served or {}
    share = {org: (shares or {}).get(org, USUAL) for org in queues}
    busy = {org: active.get(org, 0) for org in queues}
    # Ordered by who comes next; the organization's code only makes the order definite.
    turns = [(busy[org] / share[org].weight, served.get(org, -1), org) for org in queues]
    heapq.heapify(turns)
    turn = max(served.values(), default=0)
    chosen: list[WaitingJob] = []
    free = caps.active - sum(active.values())
    while turns and len(chosen) < free:
        _, _, org = heapq.heappop(turns)
        cap = in_force(share[org].cap, caps.active_per_organization)
        if cap and busy[org] >= cap:
            continue
        chosen.append(queues[org].popleft())
        busy[org] += 1
        turn += 1
        if queues[org]:
            heapq.heappush(turns, (busy[org] / share[org].weight, turn, org))
    return chosen


class Waits(Protocol):
    """What is known of the jobs that wait for something, by organization."""

    def short_of_room(self) -> Collection[str]:
        """Those with work for which there is no room in the work space."""

    def held_up(self) -> Mapping[str, int]:
        """How many of its jobs wait for a source or a storage."""


@dataclass
class Admission:
    """Lets jobs begin, as far as the caps allow.

    Attributes:
        waits: of the jobs that are under way.
        up_to: sequence of the newest admission; until the tables hold it, they show too few jobs under way.
        full: all places were taken when it was last looked, so that further jobs that wait change nothing.
    """

    log: JobLog
    caps: Caps
    waits: Waits
    up_to: int = 0
    full: bool = False
    _served: dict[str, int] = field(default_factory=dict)
    _clock: int = 0
    _held_back: set[str] = field(default_factory=set)

    async def next_jobs(self, connection: Connection) -> list[Admitted]:
        """What to say of the jobs to admit now, by what the tables tell."""
        active = {row["org"]: row["jobs"] for row in await connection.fetch(_ACTIVE)}
        held_up = self._held_up(active)
        free = self.caps.active + held_up - sum(active.values())
        self.full = free <= 0
        if self.full:
            return []
        rows = await connection.fetch(_WAITING, free, self.caps.active_per_organization)
        held_back = {row["org"] for row in rows} & set(self.waits.short_of_room())
        if held_back - self._held_back:
            await structlog.get_logger().ainfo("admission held back", organizations=sorted(held_back))
        self._held_back = held_back
        waiting = [WaitingJob(row["org"], row["id"]) for row in rows if row["org"] not in held_back]
        shares = {row["org"]: Share(row["weight"] or USUAL_WEIGHT, row["max_active_jobs"]) for row in rows}
        caps = replace(self.caps, active=self.caps.active + held_up)
        chosen = choose(waiting, active, caps, self._served, shares)
        return [Admitted(org=job.org, job=job.id, weight=shares[job.org].weight) for job in chosen]

    def _held_up(self, active: Mapping[str, int]) -> int:
        """How many jobs under way leave their places to others. Of one organization no more than there are places."""
        return sum(min(jobs, active.get(org, 0), self.caps.active) for org, jobs in self.waits.held_up().items())

    async def admit(self, jobs: Iterable[Admitted]) -> None:
        """Say of each job that it may begin. Saying it twice does no harm: the log takes it once.

        Raises:
            BusUnavailable: the bus is out of reach; the jobs left over are chosen again.
        """
        for admitted in jobs:
            try:
                appended = await self.log.append(admitted)
            except JobEnded:
                # Cancelled while it waited; the projection is about to learn of it.
                continue
            self.up_to = max(self.up_to, appended.recorded.sequence)
            self._clock += 1
            self._served[admitted.org] = self._clock
            await structlog.get_logger().ainfo("admitted", organization=admitted.org, job=admitted.job)

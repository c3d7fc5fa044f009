"""A piece of work at a consumer, as its message tells it, and which of an organization's goes before which."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.bus.subjects import split_job_subject
from shared.bus.urgency import USUAL, USUAL_WEIGHT, Urgency, urgency_and_weight

MOST_OVERTAKEN = 32
"""After being overtaken so many times, work is as urgent as what has overtaken it. A clip is two or three parts."""

_MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class Work:
    """A piece of work.

    Attributes:
        sequence: place of the message in its stream.
        crashes: how many workers that had it were never heard of again; with any, it is a suspect.
        weight: of its organization, beside the others.
    """

    org: str
    subject: str
    sequence: int = 0
    urgency: Urgency = USUAL
    crashes: int = 0
    weight: float = USUAL_WEIGHT

    @classmethod
    def of(cls, subject: str, sequence: int, data: bytes, *, crashes: int = 0) -> "Work":
        """What a message of a job stands for."""
        org, _, _ = split_job_subject(subject)
        urgency, weight = urgency_and_weight(data)
        return cls(org, subject, sequence, urgency, crashes, weight)

    @property
    def suspect(self) -> bool:
        """It may have killed the worker that had it."""
        return self.crashes > 0

    def is_of_the_job_of(self, other: "Work") -> bool:
        """Both are parts of one job."""
        return split_job_subject(self.subject)[:2] == split_job_subject(other.subject)[:2]


@dataclass
class _Overtaken:
    """How often work was overtaken, and by what that was the least urgent; then what it is as urgent as now."""

    times: int = 0
    by: Urgency = USUAL
    raised: Urgency | None = None


class Overtaking:
    """The order among the work of each organization.

    The more urgent goes first; of one job, and of what is equally urgent, what comes first in the queue. So that everything has
    its turn, however much that is urgent comes along, what has waited longest is raised once it has been overtaken several times.
    Of work that is less urgent than what waits, never two begin in a row, raised or not.
    """

    def __init__(self) -> None:
        self._last: OrderedDict[str, Urgency] = OrderedDict()
        self._overtaken: OrderedDict[str, _Overtaken] = OrderedDict()

    def before(self, work: Work, rivals: Sequence[Work]) -> list[Work]:
        """Those of the rivals, which are of the same organization, that go before a piece of work."""
        urgency = self._urgency((work, *rivals))
        own = urgency(work)
        return [other for other in rivals if urgency(other) < own and not other.is_of_the_job_of(work)]

    def first(self, works: Sequence[Work]) -> Work:
        """Of several pieces of work of one organization, the one that is next."""
        urgency = self._urgency(works)
        return min(works, key=lambda work: (urgency(work), work.sequence))

    def _urgency(self, works: Sequence[Work]) -> Callable[[Work], Urgency]:
        """How urgent each of an organization's works is now."""
        last = self._last.get(works[0].org)
        in_a_row = last is not None and any(work.urgency < last for work in works)

        def urgency(one: Work) -> Urgency:
            known = None if in_a_row else self._overtaken.get(one.subject)
            return min(one.urgency, known.raised) if known and known.raised else one.urgency

        return urgency

    def begins(self, work: Work, others: Sequence[Work]) -> None:
        """A piece of work begins.

        Args:
            others: work of the same organization that has come before, and was handed back.
        """
        self._last[work.org] = work.urgency
        self._overtaken.pop(work.subject, None)
        passed = [other for other in others if work.urgency < other.urgency and not other.is_of_the_job_of(work)]
        if passed:
            # Only the oldest: else all that waits would be raised at once, and go before whatever comes along.
            first = min(passed, key=lambda other: other.sequence)
            known = self._overtaken.setdefault(first.subject, _Overtaken())
            known.by = max(known.by, work.urgency) if known.times else work.urgency
            known.times += 1
            if known.times == MOST_OVERTAKEN:
                known.raised, known.times = known.by, 0
        for entries in (self._last, self._overtaken):
            while len(entries) > _MOST_REMEMBERED:
                entries.popitem(last=False)

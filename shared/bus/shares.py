"""How the slots of a worker are shared between organizations, by their weights. Pure.

An organization's share of the slots is in proportion to its weight among those that work or wait here; it is a whole number of
slots and a fraction. A free slot goes first to whoever has less than the whole number, then to whoever has less than the share,
then to the others. Those to whom only a fraction is due have it in turns: each that begins puts its organization back by the
inverse of its weight, as in start-time fair queueing, so that also a single slot is given three times to one of weight 3 for
each time that it is given to one of weight 1. Whoever has waited longest goes first among equals, so nobody starves.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from shared.bus.work import Work

_MOST_REMEMBERED = 1000
# Three tenths of ten slots may be a little less than three.
_ROUNDING = 1e-9


class Due(IntEnum):
    """What is due to an organization that wants one more slot; smaller goes first."""

    WHOLE = 0
    FRACTION = 1
    NOTHING = 2


class Claim(NamedTuple):
    """To one more slot; smaller goes first.

    Attributes:
        load: slots in use for each unit of weight, where that decides.
    """

    due: Due
    load: float


class Place(NamedTuple):
    """In the order of those that want a slot; smaller goes first.

    Attributes:
        tag: virtual time at which the next one is due.
        served: number of the start that was the last one here; -1 for none.
    """

    claim: Claim
    tag: float
    served: int


class Shares:
    """Who was given slots, and how much of them is due to whom.

    Args:
        slots: of the worker.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._tags: OrderedDict[str, float] = OrderedDict()
        self._served: dict[str, int] = {}
        self._starts = 0
        self._time = 0.0

    def begins(self, work: Work) -> None:
        """A slot is taken."""
        start = self.tag(work.org)
        self._time = max(self._time, start)
        self._put_back(work.org, start + 1 / work.weight)

    def let_past(self, org: str, other: str) -> None:
        """The turn of an organization is over for the sake of another one, which goes before it now."""
        self._put_back(org, max(self.tag(org), self.tag(other)))

    def tag(self, org: str) -> float:
        """Virtual time at which the next slot is due to an organization. Whoever wanted none meanwhile has saved nothing up."""
        return max(self._tags.get(org, 0.0), self._time)

    def served(self, org: str) -> int:
        """Number of an organization's last start, or -1."""
        return self._served.get(org, -1)

    def between(self, works: Iterable[Work], taken: Mapping[str, int]) -> "Order":
        """The order among the organizations of all the work that runs or waits.

        Args:
            taken: slots in use, by organization.
        """
        return Order(self, self._slots, {work.org: work.weight for work in _by_age(works)}, Counter(taken))

    def _put_back(self, org: str, tag: float) -> None:
        self._starts += 1
        self._served[org] = self._starts
        self._tags[org] = tag
        self._tags.move_to_end(org)
        if len(self._tags) > _MOST_REMEMBERED:
            forgotten, _ = self._tags.popitem(last=False)
            del self._served[forgotten]


class Order:
    """The order among organizations at one moment.

    Args:
        weights: of all that work or wait here.
    """

    def __init__(self, shares: Shares, slots: int, weights: Mapping[str, float], taken: Counter[str]) -> None:
        self._shares = shares
        self._weights = weights
        self._taken = taken
        self._slots_for_each = slots / sum(weights.values()) if weights else 0.0

    def place(self, org: str) -> Place:
        """Where an organization stands."""
        return Place(self.claim(org), self._shares.tag(org), self._shares.served(org))

    def claim(self, org: str, *, given_up: int = 0) -> Claim:
        """An organization's claim to one more slot.

        Args:
            given_up: slots that it would have given up before.
        """
        taken, weight = self._taken[org] - given_up, self._weights[org]
        owed = weight * self._slots_for_each - taken
        if owed >= 1 - _ROUNDING:
            return Claim(Due.WHOLE, taken / weight)
        if owed > _ROUNDING:
            return Claim(Due.FRACTION, 0.0)
        return Claim(Due.NOTHING, taken / weight)

    def patience(self, org: str, other: str) -> float:
        """How many times the usual turn of an organization is, when another one waits for it to be over."""
        return max(1.0, self._weights[org] / self._weights[other])


def _by_age(works: Iterable[Work]) -> list[Work]:
    """The newest comes last: its weight holds, if it was changed."""
    return sorted(works, key=lambda work: work.sequence)

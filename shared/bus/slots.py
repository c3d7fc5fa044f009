"""The slots of a worker, and who is next: the rules, without a bus.

As long as nobody else waits, one organization may have all slots. Once somebody does,

- a slot that becomes free goes to the organization that has the least of its share here (:mod:`shared.bus.shares`): with equal
  weights the one that has the fewest slots, among equals the one that was served longest ago;
- among the work of one organization, the more urgent goes first (:class:`shared.bus.work.Overtaking`);
- work that cannot be told when it ends (a download, an upload) is interrupted and handed back: soon where the slot is due to the
  one that waits rather than to its organization (with equal weights: which has two slots more), after a long turn where it is
  due to both alike (which has one more). Each time that a piece of work is interrupted, the next turn is longer, so that also
  what has to begin anew comes to its end;
- a suspect, which may have killed the worker that had it before, goes last, and runs alone; of several, the one that did it
  least often goes first.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from shared.bus.away import Away
from shared.bus.shares import Claim, Order, Shares
from shared.bus.work import Overtaking, Work

T = TypeVar("T")

SUSPECTS_PATIENCE = 600.0
"""Seconds after which a suspect no longer goes last, so that it comes to its end also where something always waits."""

_ACQUAINTANCE_SECONDS = 3.0
_MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class TurnRules:
    """When running work is interrupted, in seconds since it began; None for never.

    Attributes:
        surplus_seconds: where its slot is due to one that waits rather than to its organization.
        turn_seconds: where it is due to both alike; longer where its organization weighs more, by as much.
        alone_seconds: how long a suspect runs alone; None to its end.
    """

    surplus_seconds: float | None = None
    turn_seconds: float | None = None
    alone_seconds: float | None = None


INTERRUPTED = TurnRules(surplus_seconds=5, turn_seconds=60, alone_seconds=60)
"""For work whose end depends on somebody's server, and which can go on where it was, or costs little to begin anew."""

UNINTERRUPTED = TurnRules()
"""For work that is bounded, and would be lost."""


@dataclass(eq=False)
class Turn:
    """A slot in use. ``over`` is set when its work shall be handed back, ``ended`` when the slot is free again."""

    work: Work
    since: float
    redelivered: bool
    over: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Slots:
    """Who has the slots of one process, and who is next. Pure but for the clock.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, slots: int, rules: TurnRules, clock: Callable[[], float] = time.monotonic) -> None:
        self._slots = slots
        self._rules = rules
        self._clock = clock
        self._turns: list[Turn] = []
        self._shares = Shares(slots)
        self._interruptions: OrderedDict[str, int] = OrderedDict()
        self._overtaking = Overtaking()
        self._suspected: OrderedDict[str, float] = OrderedDict()
        self._away = Away(clock)

    @property
    def full(self) -> bool:
        """No slot is free."""
        return len(self._turns) >= self._slots

    @property
    def free(self) -> int:
        """How many slots are not in use."""
        return self._slots - len(self._turns)

    @property
    def away(self) -> list[Work]:
        """What was handed back here and is to come again, as far as is known."""
        return self._away.works

    @property
    def callable(self) -> list[Work]:
        """What of it can be called back."""
        return self._away.callable

    @property
    def redelivered(self) -> int:
        """How many redelivered messages are known here: being worked on, or to come again."""
        return sum(turn.redelivered for turn in self._turns) + len(self.away)

    @property
    def closed_by(self) -> Turn | None:
        """The suspect that runs alone: nothing else may begin meanwhile."""
        now, limit = self._clock(), self._rules.alone_seconds
        suspects = (turn for turn in self._turns if turn.work.suspect)
        return next((turn for turn in suspects if limit is None or now - turn.since < limit), None)

    def has_come(self, work: Work, *, redelivered: bool) -> None:
        """A message was delivered here."""
        self._away.has_come(work, redelivered=redelivered)
        if work.suspect and _case(work) not in self._suspected:
            _remember(self._suspected, _case(work), self._clock())

    def begin(self, work: Work, *, redelivered: bool = False) -> Turn:
        """A slot is taken."""
        self._away.begins(work)
        self._shares.begins(work)
        self._overtaking.begins(work, [other for other in self.away if other.org == work.org and not other.suspect])
        turn = Turn(work, self._clock(), redelivered)
        self._turns.append(turn)
        return turn

    def end(self, turn: Turn) -> None:
        """A slot is free again."""
        self._turns.remove(turn)
        turn.ended.set()
        if not turn.over.is_set():
            self._interruptions.pop(turn.work.subject, None)

    def put_off(self, work: Work, seconds: float, before: Collection[Work] = (), *, reply: str = "") -> None:
        """A message is handed back, as :meth:`shared.bus.away.Away.put_off` says."""
        self._away.put_off(work, seconds, before, reply=reply)

    def call_back(self, waiting: Sequence[Work], count: int) -> list[str]:
        """Have what was handed back and is next now be due.

        Args:
            waiting: what has never been delivered.
            count: of the slots that are free, here or elsewhere.

        Returns:
            the subjects by which the messages are called.
        """
        away = self._away.callable
        subjects, rivals = {work.subject for work in away}, (*waiting, *away)
        next_ones = [work for work in self._first(rivals, count) if work.subject in subjects]
        return [self._away.call_back(work) for work in next_ones if len(self.before(work, rivals)) < count]

    def before(self, work: Work, waiting: Sequence[Work] = ()) -> list[Work]:
        """What has to begin before this may take a free slot.

        Args:
            waiting: what has never been delivered.
        """
        rivals = [other for other in (*waiting, *self._away.due) if other.subject != work.subject]
        if work.suspect:
            patient = self._suspected_for(work) < SUSPECTS_PATIENCE
            return [other for other in rivals if other.crashes < work.crashes] if patient else []
        rivals = [other for other in rivals if not other.suspect]
        order = self._order((work, *rivals))
        place = order.place(work.org)
        orgs = {other.org for other in rivals} - {work.org}
        first = {org for org in orgs if order.place(org) < place}
        own = [other for other in rivals if other.org == work.org]
        return [other for other in rivals if other.org in first] + self._overtaking.before(work, own)

    def beside(self, turn: Turn) -> list[Turn]:
        """The other slots in use."""
        return [other for other in self._turns if other is not turn]

    def may_be_alone(self, work: Work) -> bool:
        """Whether a suspect may begin, as far as this process goes.

        Nothing else runs here, or it has waited for long, and has the others end first. After more than one crash it has waited
        here for a while in any case, so that others come before it which that crash has hit as well, and which this process, a
        new one perhaps, knows nothing of.
        """
        waited = self._suspected_for(work)
        if work.crashes > 1 and waited < _ACQUAINTANCE_SECONDS:
            return False
        return not self._turns or waited >= SUSPECTS_PATIENCE

    def interrupt(self, waiting: Collection[Work], *, strangers: bool = False) -> Turn | None:
        """End the turn of whoever has to make room, if anybody has.

        Args:
            waiting: work of which some might begin, had it a slot.
            strangers: somebody is waiting whose name is not known; he gets a slot after a long turn of another.
        """
        order = self._order(waiting)
        found = None
        for org in sorted({work.org for work in waiting}, key=order.place):
            found = self._surplus(order, org)
            if not found and (found := self._longest(order, org)):
                self._shares.let_past(found.work.org, org)
            if found:
                break
        if not found and strangers:
            found = min(self._ripe(self._rules.turn_seconds), key=lambda turn: turn.since, default=None)
        if found:
            subject = found.work.subject
            _remember(self._interruptions, subject, self._interruptions.get(subject, 0) + 1)
            found.over.set()
        return found

    def _suspected_for(self, work: Work) -> float:
        """Seconds since a suspect came here for the first time after its last crash."""
        now = self._clock()
        return now - self._suspected.get(_case(work), now)

    def _first(self, waiting: Sequence[Work], count: int) -> list[Work]:
        """Who is to be given the next free slots, of all that wait or were handed back."""
        works = {work.subject: work for work in (*waiting, *self._away.due) if not work.suspect}
        found: list[Work] = []
        while works and len(found) < count:
            order = self._order((*works.values(), *found), given=found)
            org = min({work.org for work in works.values()}, key=order.place)
            found.append(self._overtaking.first([work for work in works.values() if work.org == org]))
            del works[found[-1].subject]
        return found

    def _surplus(self, order: Order, waiting: str) -> Turn | None:
        """The youngest work of the organization that has most beyond its share: it loses the least.

        Whatever is interrupted here gives a slot to a better claim, so nobody is interrupted to and fro.
        """

        def claim(turn: Turn) -> Claim:
            return order.claim(turn.work.org, given_up=1)

        several = [turn for turn in self._ripe(self._rules.surplus_seconds) if claim(turn) > order.claim(waiting)]
        return max(several, key=lambda turn: (claim(turn), turn.since), default=None)

    def _longest(self, order: Order, waiting: str) -> Turn | None:
        """The oldest turn of those whose organizations have no better claim to the slot than who waits."""
        seconds, claim = self._rules.turn_seconds, order.claim(waiting)
        several = [
            turn
            for turn in self._ripe(seconds)
            if order.claim(turn.work.org, given_up=1) >= claim
            and self._is_ripe(turn, (seconds or 0) * order.patience(turn.work.org, waiting))
        ]
        return min(several, key=lambda turn: turn.since, default=None)

    def _ripe(self, seconds: float | None) -> list[Turn]:
        if seconds is None:
            return []
        return [turn for turn in self._turns if not turn.over.is_set() and self._is_ripe(turn, seconds)]

    def _is_ripe(self, turn: Turn, seconds: float) -> bool:
        """The turn has lasted so long, and longer where its work was interrupted before."""
        return self._clock() - turn.since >= seconds * 2.0 ** self._interruptions.get(turn.work.subject, 0)

    def _order(self, waiting: Collection[Work], *, given: Sequence[Work] = ()) -> Order:
        """Args: given: work that is about to have a slot."""
        running = [turn.work for turn in self._turns if not turn.over.is_set()]
        return self._shares.between((*running, *waiting), Counter(work.org for work in (*running, *given)))


def _case(work: Work) -> str:
    return f"{work.crashes} {work.subject}"


def _remember(entries: "OrderedDict[str, T]", name: str, entry: T) -> None:
    entries[name] = entry
    entries.move_to_end(name)
    if len(entries) > _MOST_REMEMBERED:
        entries.popitem(last=False)

"""The slots of a worker, and who is next: the rules, without a bus.

As long as nobody else waits, one organization may have all slots. Once somebody does,

- a slot that becomes free goes to the organization that has the fewest slots here, among equals to the one that was served
  longest ago;
- among the work of one organization, the more urgent goes first (:class:`shared.bus.work.Overtaking`);
- work that cannot be told when it ends (a download, an upload) is interrupted and handed back: soon where its organization has
  two slots more than the one that waits, after a long turn where it has one more. Each time that a piece of work is
  interrupted, the next one is longer, so that also what has to begin anew comes to its end;
- a suspect, which may have killed the worker that had it before, goes last, and runs alone; of several, the one that did it
  least often goes first.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from shared.bus.work import Overtaking, Work

T = TypeVar("T")

SUSPECTS_PATIENCE = 600.0
"""Seconds after which a suspect no longer goes last, so that it comes to its end also where something always waits."""

_ACQUAINTANCE_SECONDS = 3.0
_AWAY_SECONDS = 600.0
# How long others give way to what was handed back and should have come again. It may have gone to another process.
_SOUGHT_SECONDS = 2.0
# What is due comes before what was never delivered, but the server looks only now and then for what is due.
_LATE_SECONDS = 0.5
_MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class TurnRules:
    """When running work is interrupted, in seconds since it began; None for never.

    Attributes:
        surplus_seconds: where its organization has at least two slots more than one that waits.
        turn_seconds: where it has one slot more.
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


@dataclass
class _Away:
    """Work that was handed back and has not come again: when it is to come, and since when others give way to it."""

    work: Work
    due: float
    sought: float | None = None


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
        self._served: OrderedDict[str, int] = OrderedDict()
        self._starts = 0
        self._interruptions: OrderedDict[str, int] = OrderedDict()
        self._overtaking = Overtaking()
        self._suspected: OrderedDict[str, float] = OrderedDict()
        self._away: OrderedDict[str, _Away] = OrderedDict()

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
        now = self._clock()
        return [away.work for away in self._away.values() if now < away.due + _AWAY_SECONDS]

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
        """A message was delivered here.

        What was handed back and is due comes before what has never been delivered, in the order in which it is due. So what
        ought to have come before this one has gone to another process.
        """
        found = self._away.get(work.subject)
        before = found.due - 1 if found else float("-inf") if redelivered else self._clock() - _LATE_SECONDS
        for subject in [subject for subject, away in self._away.items() if away.due < before]:
            del self._away[subject]
        if work.suspect and _case(work) not in self._suspected:
            _remember(self._suspected, _case(work), self._clock())

    def begin(self, work: Work, *, redelivered: bool = False) -> Turn:
        """A slot is taken."""
        self._away.pop(work.subject, None)
        self._starts += 1
        _remember(self._served, work.org, self._starts)
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

    def put_off(self, work: Work, seconds: float, before: Collection[Work] = ()) -> None:
        """A message is handed back.

        Args:
            seconds: until it comes again.
            before: what it gives way to.
        """
        now = self._clock()
        for other in before:
            away = self._away.get(other.subject)
            if away and away.sought is None:
                away.sought = now
        _remember(self._away, work.subject, _Away(work, now + seconds))

    def before(self, work: Work, waiting: Sequence[Work] = ()) -> list[Work]:
        """What has to begin before this may take a free slot.

        Args:
            waiting: what has never been delivered.
        """
        now = self._clock()
        rivals = [other for other in (*waiting, *self._due(now)) if other.subject != work.subject]
        if work.suspect:
            patient = self._suspected_for(work) < SUSPECTS_PATIENCE
            return [other for other in rivals if other.crashes < work.crashes] if patient else []
        rivals = [other for other in rivals if not other.suspect]
        taken = self._taken()
        rank = self._rank(work.org, taken)
        orgs = {other.org for other in rivals} - {work.org}
        first = {org for org in orgs if self._rank(org, taken) < rank}
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

    def interrupt(self, waiting: Collection[str], *, strangers: bool = False) -> Turn | None:
        """End the turn of whoever has to make room, if anybody has.

        Args:
            waiting: organizations that have work to do.
            strangers: somebody is waiting whose name is not known; he gets a slot after a long turn of another.
        """
        taken = self._taken()
        found = None
        for org in sorted(waiting, key=lambda org: self._rank(org, taken)):
            found = self._surplus(taken, taken[org] + 2) or self._longest(taken, taken[org] + 1)
            if found:
                break
        if not found and strangers:
            found = self._longest(taken, 1)
        if found:
            subject = found.work.subject
            _remember(self._interruptions, subject, self._interruptions.get(subject, 0) + 1)
            found.over.set()
        return found

    def _suspected_for(self, work: Work) -> float:
        """Seconds since a suspect came here for the first time after its last crash."""
        now = self._clock()
        return now - self._suspected.get(_case(work), now)

    def _due(self, now: float) -> list[Work]:
        """What was handed back and lies before the consumer again, if no other process has taken it."""
        return [
            away.work
            for away in self._away.values()
            if away.due <= now < away.due + _AWAY_SECONDS
            and (away.sought is None or now < away.sought + _SOUGHT_SECONDS)
        ]

    def _surplus(self, taken: Counter[str], least: int) -> Turn | None:
        """The youngest work of the organization that has the most slots: it loses the least."""
        several = [turn for turn in self._ripe(self._rules.surplus_seconds) if taken[turn.work.org] >= least]
        return max(several, key=lambda turn: (taken[turn.work.org], turn.since), default=None)

    def _longest(self, taken: Counter[str], least: int) -> Turn | None:
        several = [turn for turn in self._ripe(self._rules.turn_seconds) if taken[turn.work.org] >= least]
        return min(several, key=lambda turn: turn.since, default=None)

    def _ripe(self, seconds: float | None) -> list[Turn]:
        if seconds is None:
            return []
        now = self._clock()
        return [
            turn
            for turn in self._turns
            if not turn.over.is_set()
            and now - turn.since >= seconds * 2 ** self._interruptions.get(turn.work.subject, 0)
        ]

    def _taken(self) -> Counter[str]:
        return Counter(turn.work.org for turn in self._turns if not turn.over.is_set())

    def _rank(self, org: str, taken: Counter[str]) -> tuple[int, int]:
        return taken[org], self._served.get(org, -1)


def _case(work: Work) -> str:
    return f"{work.crashes} {work.subject}"


def _remember(entries: "OrderedDict[str, T]", name: str, entry: T) -> None:
    entries[name] = entry
    entries.move_to_end(name)
    if len(entries) > _MOST_REMEMBERED:
        entries.popitem(last=False)

"""Turns: an organization gets no more than its share of a worker's slots while work of others waits.

As long as nobody else waits, one organization may have all slots. Once somebody does,

- a slot that becomes free goes to the organization that has the fewest slots here, among equals to the one that was served
  longest ago: messages of others that come first in the queue are handed back for a moment;
- work that cannot be told when it ends (a download, an upload) is interrupted and handed back: soon where its organization has
  two slots more than the one that waits, after a long turn where it has one more. Each time that a piece of work is
  interrupted, the next one is longer, so that also what has to begin anew comes to its end.

Every process applies this to its own slots, which makes it hold for all of them together.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.bus.queue import Queue, Waiting
from shared.bus.subjects import split_job_subject
from shared.bus.topology import Durable

T = TypeVar("T")

HAND_BACK_SECONDS = 1.0
"""How long a message stays away that was handed back because it was another organization's turn."""

_LOOK_SECONDS = 1.0
_AWAY_SECONDS = 600.0
_MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class TurnRules:
    """When running work is interrupted, in seconds since it began; None for never.

    Attributes:
        surplus_seconds: where its organization has at least two slots more than one that waits.
        turn_seconds: where it has one slot more.
    """

    surplus_seconds: float | None = None
    turn_seconds: float | None = None


INTERRUPTED = TurnRules(surplus_seconds=5, turn_seconds=60)
"""For work whose end depends on somebody's server, and which can go on where it was, or costs little to begin anew."""

UNINTERRUPTED = TurnRules()
"""For work that is bounded, and would be lost."""


@dataclass(eq=False)
class Turn:
    """A slot in use. ``over`` is set when its work shall be handed back."""

    org: str
    subject: str
    since: float
    redelivered: bool
    over: asyncio.Event = field(default_factory=asyncio.Event)


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
        # What was handed back and has not come again: whose it is, and until when that is believed, since it may have gone to
        # another process.
        self._away: OrderedDict[str, tuple[str, float]] = OrderedDict()

    @property
    def full(self) -> bool:
        """No slot is free."""
        return len(self._turns) >= self._slots

    @property
    def away(self) -> list[str]:
        """The organization of each message that was handed back here and is to come again."""
        now = self._clock()
        return [org for org, until in self._away.values() if until > now]

    @property
    def redelivered(self) -> int:
        """How many redelivered messages are known here: being worked on, or to come again."""
        return sum(turn.redelivered for turn in self._turns) + len(self.away)

    def begin(self, org: str, subject: str, *, redelivered: bool) -> Turn:
        """A slot is taken."""
        self._away.pop(subject, None)
        self._starts += 1
        _remember(self._served, org, self._starts)
        turn = Turn(org, subject, self._clock(), redelivered)
        self._turns.append(turn)
        return turn

    def end(self, turn: Turn) -> None:
        """A slot is free again."""
        self._turns.remove(turn)
        if not turn.over.is_set():
            self._interruptions.pop(turn.subject, None)

    def put_off(self, org: str, subject: str) -> None:
        """A message is handed back, because it is another organization's turn."""
        _remember(self._away, subject, (org, self._clock() + _AWAY_SECONDS))

    def may_begin(self, org: str, waiting: Collection[str]) -> bool:
        """Whether it is an organization's turn to take a free slot, with these others waiting."""
        taken = self._taken()
        return all(self._rank(org, taken) <= self._rank(other, taken) for other in waiting)

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
            _remember(self._interruptions, found.subject, self._interruptions.get(found.subject, 0) + 1)
            found.over.set()
        return found

    def _surplus(self, taken: Counter[str], least: int) -> Turn | None:
        """The youngest work of the organization that has the most slots: it loses the least."""
        several = [turn for turn in self._ripe(self._rules.surplus_seconds) if taken[turn.org] >= least]
        return max(several, key=lambda turn: (taken[turn.org], turn.since), default=None)

    def _longest(self, taken: Counter[str], least: int) -> Turn | None:
        several = [turn for turn in self._ripe(self._rules.turn_seconds) if taken[turn.org] >= least]
        return min(several, key=lambda turn: turn.since, default=None)

    def _ripe(self, seconds: float | None) -> list[Turn]:
        if seconds is None:
            return []
        now = self._clock()
        return [
            turn
            for turn in self._turns
            if not turn.over.is_set() and now - turn.since >= seconds * 2 ** self._interruptions.get(turn.subject, 0)
        ]

    def _taken(self) -> Counter[str]:
        return Counter(turn.org for turn in self._turns if not turn.over.is_set())

    def _rank(self, org: str, taken: Counter[str]) -> tuple[int, int]:
        return taken[org], self._served.get(org, -1)


class Turns:
    """The turns at one consumer, in one process.

    Args:
        slots: how many messages are worked on at the same time.

    Attributes:
        interrupts: work is interrupted here, so it has to be watched.
    """

    def __init__(self, client: Client, durable: Durable, slots: int, rules: TurnRules) -> None:
        self._queue = Queue(client, durable)
        self._slots = Slots(slots, rules)
        self.interrupts = rules != UNINTERRUPTED

    async def begin(self, message: Msg, org: str) -> Turn | None:
        """Take a slot for a message; None where it is somebody else's turn, and the message has to be handed back."""
        # The message itself tells how many have never been delivered; with none of them there is nobody to give way to.
        if message.metadata.num_pending:
            waiting = await self._waiting()
            if waiting and not self._slots.may_begin(org, waiting.orgs):
                self._slots.put_off(org, message.subject)
                return None
        return self._slots.begin(org, message.subject, redelivered=message.metadata.num_delivered > 1)

    def end(self, turn: Turn) -> None:
        """The work of a slot is over."""
        self._slots.end(turn)

    def put_off(self, turn: Turn) -> None:
        """The message of a turn that was ended early is about to be handed back."""
        self._slots.put_off(turn.org, turn.subject)

    async def watch(self) -> None:
        """Interrupt what takes too long while others wait, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not self._slots.full:
                continue
            waiting = await self._waiting()
            if waiting is None:
                continue
            orgs = {*waiting.orgs, *self._slots.away}
            ended = self._slots.interrupt(orgs, strangers=waiting.redelivered > self._slots.redelivered)
            if ended:
                _, job, _ = split_job_subject(ended.subject)
                await structlog.get_logger().ainfo("turn is over", organization=ended.org, job=job)

    async def _waiting(self) -> Waiting | None:
        """Who waits; None where nobody has to give way."""
        # Without an answer from the bus there are other troubles than whose turn it is.
        with suppress(NatsError, TimeoutError):
            waiting = await self._queue.look()
            # Where somebody idles, what waits is on its way to him.
            return None if waiting.idle else waiting
        return None


def _remember(entries: "OrderedDict[str, T]", name: str, entry: T) -> None:
    entries[name] = entry
    entries.move_to_end(name)
    if len(entries) > _MOST_REMEMBERED:
        entries.popitem(last=False)

"""The order in which one webhook is told about one job. Pure.

The states of a job that one hook is to be told form a *queue*. It is one small record, changed by compare-and-set only, so
that any number of notifiers agree on it. It says which states are still to be accepted, when each is due, which one is
being sent at the moment, and how far the receiver has got. From that follows, whoever looks and however often:

- states are sent one at a time, and what is due is sent oldest first;
- a state that waits for its next attempt does not hold up a newer one;
- once a state was accepted, older ones are superseded and never sent again;
- while it is not known whether a state was accepted (the sender died, the answer was lost), older ones wait for it, and
  where that is never found out because its attempts are used up, they are superseded as well: the receiver may have it.

The messages in the work queue are mere wake-up calls: losing the order of those, or getting one twice, changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from shared.deliveries import Outcome
from shared.job import Told


class Pending(BaseModel):
    """A state that the hook has not accepted: ``attempt`` is the next one to make, and may begin at ``due``.

    ``uncertain``: an attempt before may have been accepted without our knowing.
    """

    model_config = ConfigDict(frozen=True)
    status: Told
    sequence: int
    attempt: int = 1
    due: datetime
    uncertain: bool = False


class Claim(BaseModel):
    """Somebody is sending the state at ``sequence``, and is done by ``until`` at the latest."""

    model_config = ConfigDict(frozen=True)
    token: str
    sequence: int
    until: datetime


class DeliveryQueue(BaseModel):
    """Where one hook stands with one job. ``announced`` and ``accepted`` are the newest such states, by place in the log.

    ``accepted`` counts as well a state that was given up without our knowing whether the receiver had accepted it.
    """

    model_config = ConfigDict(frozen=True)
    announced: int = 0
    accepted: int = 0
    pending: tuple[Pending, ...] = ()
    claim: Claim | None = None


@dataclass(frozen=True)
class Rest:
    """Nothing is left to do."""


@dataclass(frozen=True)
class Busy:
    """Somebody is sending; he goes on with what is due afterwards, or has died by ``until``."""

    until: datetime


@dataclass(frozen=True)
class Later:
    """Nothing is due. ``waiting`` are the states that have a time; others wait for one of them."""

    waiting: tuple[Pending, ...]


@dataclass(frozen=True)
class Supersede:
    """This state is older than one that was accepted, or may have been when it was given up."""

    pending: Pending


@dataclass(frozen=True)
class Send:
    """This is due."""

    pending: Pending


Step = Rest | Busy | Later | Supersede | Send


def next_step(queue: DeliveryQueue, now: datetime) -> Step:
    """What has to be done on a queue."""
    if queue.claim and queue.claim.until > now:
        return Busy(queue.claim.until)
    in_order = sorted(_abandon(queue).pending, key=lambda pending: pending.sequence)
    for pending in in_order:
        if pending.sequence <= queue.accepted:
            return Supersede(pending)
    doubtful = max((pending.sequence for pending in in_order if pending.uncertain), default=0)
    free = [pending for pending in in_order if pending.sequence >= doubtful]
    for pending in free:
        if pending.due <= now:
            return Send(pending)
    return Later(tuple(free)) if free else Rest()


def announce(queue: DeliveryQueue, status: Told, sequence: int, due: datetime) -> DeliveryQueue:
    """The queue with one more state to tell. A state that was announced before changes nothing."""
    if sequence <= queue.announced:
        return queue
    pending = Pending(status=status, sequence=sequence, due=due)
    return queue.model_copy(update={"announced": sequence, "pending": (*queue.pending, pending)})


def claim(queue: DeliveryQueue, wanted: Pending, mine: Claim, now: datetime) -> DeliveryQueue:
    """The queue claimed for sending a pending state, or as it is if that is not what has to be done now."""
    if _holds(queue, mine.token) or next_step(queue, now) != Send(wanted):
        return queue
    return _abandon(queue).model_copy(update={"claim": mine})


def claim_anyway(queue: DeliveryQueue, mine: Claim, now: datetime) -> DeliveryQueue:
    """The queue claimed for sending what a user asked for, or as it is if somebody is sending."""
    if isinstance(next_step(queue, now), Busy):
        return queue
    announced = max(queue.announced, mine.sequence)
    return _abandon(queue).model_copy(update={"claim": mine, "announced": announced})


def settle(
    queue: DeliveryQueue,
    token: str,
    sent: Pending,
    outcome: Outcome,
    next_attempt_at: datetime | None = None,
    *,
    uncertain: bool = False,
) -> DeliveryQueue:
    """The queue after an attempt. Applying it twice, or when the claim has gone to somebody else, does no harm.

    Args:
        uncertain: it failed on our side, yet the receiver may have accepted it.
    """
    change: dict[str, object] = {}
    if _holds(queue, token):
        change["claim"] = None
    doubt = sent.uncertain or uncertain
    if outcome == "delivered" or (outcome == "gave_up" and doubt):
        change["accepted"] = max(queue.accepted, sent.sequence)
    rest = drop(queue, sent).pending
    if len(rest) < len(queue.pending):
        again = sent.model_copy(update={"attempt": sent.attempt + 1, "due": next_attempt_at, "uncertain": doubt})
        change["pending"] = rest if next_attempt_at is None else (*rest, again)
    return queue.model_copy(update=change)


def drop(queue: DeliveryQueue, dropped: Pending) -> DeliveryQueue:
    """The queue without a state that will not be sent any more, or not in this attempt."""
    gone = (dropped.sequence, dropped.attempt)
    return queue.model_copy(update={"pending": tuple(p for p in queue.pending if (p.sequence, p.attempt) != gone)})


def release(queue: DeliveryQueue, token: str) -> DeliveryQueue:
    """The queue without this claim, when its holder stops without having an outcome."""
    return _abandon(queue) if _holds(queue, token) else queue


def _abandon(queue: DeliveryQueue) -> DeliveryQueue:
    """The queue without its claim, whose holder died or stopped: perhaps after the receiver had accepted."""
    if queue.claim is None:
        return queue
    doubtful = queue.claim.sequence
    pending = tuple(p.model_copy(update={"uncertain": True}) if p.sequence == doubtful else p for p in queue.pending)
    return queue.model_copy(update={"claim": None, "pending": pending})


def _holds(queue: DeliveryQueue, token: str) -> bool:
    return queue.claim is not None and queue.claim.token == token

"""The order in which one webhook is told about one job. Pure.

The states of a job that one hook is to be told form a *lane*. It is one small record, changed by compare-and-set only, so
that any number of notifiers agree on it. It says which states are still to be accepted, when each is due, which one is
being sent at the moment, and how far the receiver has got. From that follows, whoever looks and however often:

- states are sent one at a time, and what is due is sent oldest first;
- a state that waits for its next attempt does not hold up a newer one;
- once a state was accepted, older ones are superseded and never sent again;
- while it is not known whether a state was accepted (the sender died, the answer was lost), older ones wait for it.

The messages in the work queue are mere wake-up calls: losing the order of those, or getting one twice, changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from shared.deliveries import Outcome
from shared.job import Status


class Pending(BaseModel):
    """A state that the hook has not accepted: ``attempt`` is the next one to make, and may begin at ``due``.

    ``uncertain``: an attempt before may have been accepted without our knowing.
    """

    model_config = ConfigDict(frozen=True)
    status: Status
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


class Lane(BaseModel):
    """Where one hook stands with one job. ``announced`` and ``accepted`` are the newest such states, by place in the log."""

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
    """This state is older than an accepted one."""

    pending: Pending


@dataclass(frozen=True)
class Send:
    """This is due."""

    pending: Pending


Step = Rest | Busy | Later | Supersede | Send


def next_step(lane: Lane, now: datetime) -> Step:
    """What has to be done on a lane."""
    if lane.claim and lane.claim.until > now:
        return Busy(lane.claim.until)
    in_order = sorted(_abandon(lane).pending, key=lambda pending: pending.sequence)
    for pending in in_order:
        if pending.sequence <= lane.accepted:
            return Supersede(pending)
    doubtful = max((pending.sequence for pending in in_order if pending.uncertain), default=0)
    free = [pending for pending in in_order if pending.sequence >= doubtful]
    for pending in free:
        if pending.due <= now:
            return Send(pending)
    return Later(tuple(free)) if free else Rest()


def announce(lane: Lane, status: Status, sequence: int, due: datetime) -> Lane:
    """The lane with one more state to tell. A state that was announced before changes nothing."""
    if sequence <= lane.announced:
        return lane
    pending = Pending(status=status, sequence=sequence, due=due)
    return lane.model_copy(update={"announced": sequence, "pending": (*lane.pending, pending)})


def claim(lane: Lane, wanted: Pending, mine: Claim, now: datetime) -> Lane:
    """The lane claimed for sending a pending state, or as it is if that is not what has to be done now."""
    if _holds(lane, mine.token) or next_step(lane, now) != Send(wanted):
        return lane
    return _abandon(lane).model_copy(update={"claim": mine})


def claim_anyway(lane: Lane, mine: Claim, now: datetime) -> Lane:
    """The lane claimed for sending what a user asked for, or as it is if somebody is sending."""
    if isinstance(next_step(lane, now), Busy):
        return lane
    announced = max(lane.announced, mine.sequence)
    return _abandon(lane).model_copy(update={"claim": mine, "announced": announced})


def settle(
    lane: Lane,
    token: str,
    sent: Pending,
    outcome: Outcome,
    next_attempt_at: datetime | None = None,
    *,
    uncertain: bool = False,
) -> Lane:
    """The lane after an attempt. Applying it twice, or when the claim has gone to somebody else, does no harm.

    Args:
        uncertain: it failed on our side, yet the receiver may have accepted it.
    """
    change: dict[str, object] = {}
    if _holds(lane, token):
        change["claim"] = None
    if outcome == "delivered":
        change["accepted"] = max(lane.accepted, sent.sequence)
    rest = drop(lane, sent).pending
    if len(rest) < len(lane.pending):
        doubt = sent.uncertain or uncertain
        again = sent.model_copy(update={"attempt": sent.attempt + 1, "due": next_attempt_at, "uncertain": doubt})
        change["pending"] = rest if next_attempt_at is None else (*rest, again)
    return lane.model_copy(update=change)


def drop(lane: Lane, dropped: Pending) -> Lane:
    """The lane without a state that will not be sent any more, or not in this attempt."""
    gone = (dropped.sequence, dropped.attempt)
    return lane.model_copy(update={"pending": tuple(p for p in lane.pending if (p.sequence, p.attempt) != gone)})


def release(lane: Lane, token: str) -> Lane:
    """The lane without this claim, when its holder stops without having an outcome."""
    return _abandon(lane) if _holds(lane, token) else lane


def _abandon(lane: Lane) -> Lane:
    """The lane without its claim, whose holder died or stopped: perhaps after the receiver had accepted."""
    if lane.claim is None:
        return lane
    doubtful = lane.claim.sequence
    pending = tuple(p.model_copy(update={"uncertain": True}) if p.sequence == doubtful else p for p in lane.pending)
    return lane.model_copy(update={"claim": None, "pending": pending})


def _holds(lane: Lane, token: str) -> bool:
    return lane.claim is not None and lane.claim.token == token

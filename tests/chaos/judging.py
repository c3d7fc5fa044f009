"""What the rules say of a job after a run. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.events import Cancelled, Completed, Event, Failed, Started
from shared.job import STATUS_AFTER
from tests.chaos.orders import Order


@dataclass(frozen=True)
class Told:
    """A webhook that its receiver has accepted."""

    message_id: str
    status: str


@dataclass(frozen=True)
class Fate:
    """What became of a job.

    Attributes:
        events: as the log has them.
        told: webhooks in the order of their arrival, repetitions too.
        superseded: statuses whose webhook was given up because a newer one had been accepted.
        cancelled: whether the api has said that it cancelled the job; None where it was not asked, or its answer was lost.
    """

    order: Order
    job: str
    events: Sequence[Event]
    told: Sequence[Told] = ()
    superseded: frozenset[str] = frozenset()
    cancelled: bool | None = None


@dataclass
class Verdict:
    """What was found wrong with a job, in sentences; all empty where nothing is.

    Attributes:
        lost: it has not come to its right end, or somebody was not told.
        doubled: something of it is there twice that is to be there once.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """All of it."""
        return self.lost + self.doubled


def judge(fate: Fate) -> Verdict:
    """Hold a job against the rules: one end and the right one, every fact once, every status told once and in order."""
    verdict = Verdict()
    tokens = Counter(event.token() for event in fate.events)
    verdict.doubled += [f"{count} times {token} in the log" for token, count in tokens.items() if count > 1]
    ends = [event for event in fate.events if isinstance(event, Completed | Failed | Cancelled)]
    if not ends:
        last = fate.events[-1].token() if fate.events else "nothing"
        verdict.lost.append(f"has no end; the last event is {last}")
        return verdict
    if len(ends) > 1:
        verdict.doubled.append("has several ends: " + ", ".join(end.token() for end in ends))
    if fate.events[-1] is not ends[0]:
        verdict.doubled.append(f"{fate.events[-1].token()} after {ends[0].token()}")
    if _end(ends[0]) not in _right_ends(fate):
        detail = f" ({ends[0].detail})" if isinstance(ends[0], Failed) else ""
        verdict.lost.append(f"ended as {_end(ends[0])}{detail} instead of {' or '.join(sorted(_right_ends(fate)))}")
    _judge_webhooks(fate, verdict)
    return verdict


def statuses(events: Sequence[Event]) -> list[str]:
    """The statuses that a webhook is told of, in order."""
    return ["queued", *(STATUS_AFTER[type(event)] for event in events if isinstance(event, _TOLD))]


_TOLD = (Started, Completed, Failed, Cancelled)


def _end(event: Event) -> str:
    return event.code if isinstance(event, Failed) else event.token().removeprefix("end.")


def _right_ends(fate: Fate) -> set[str]:
    if fate.order.cancel_after is None or fate.cancelled is False:
        return {fate.order.right_end}
    return {"cancelled"} if fate.cancelled else {"cancelled", fate.order.right_end}


def _judge_webhooks(fate: Fate, verdict: Verdict) -> None:
    # A repetition has the id of the first.
    seen = list({told.message_id: told.status for told in fate.told}.values())
    expected = [status for status in statuses(fate.events) if status in seen or status not in fate.superseded]
    verdict.doubled += [
        f"{count} different webhooks say {status}" for status, count in Counter(seen).items() if count > 1
    ]
    verdict.lost += [f"no webhook has said {status}" for status in expected if status not in seen]
    if not verdict.faults and seen != expected:
        verdict.lost.append(f"webhooks said {', '.join(seen)} instead of {', '.join(expected)}")

"""What is posted, and the end that it must come to whatever happens meanwhile."""

import random
from dataclasses import dataclass
from typing import Literal

Source = Literal["short", "long", "sound", "truncated", "not_video", "empty", "missing", "replaced"]

# How often each comes in twenty jobs; the rest is short.
_PER_TWENTY: dict[Source, int] = {
    "long": 3,
    "sound": 2,
    "truncated": 1,
    "not_video": 1,
    "empty": 1,
    "missing": 1,
    "replaced": 1,
}
_ENDS: dict[Source, str] = {
    "short": "completed",
    "long": "completed",
    "sound": "completed",
    # By another film, while it is being downloaded: one of the two, but no mixture of them.
    "replaced": "completed",
    "truncated": "input_truncated",
    "not_video": "input_not_video",
    "empty": "input_empty",
    "missing": "input_unreachable",
}
_CANCELLED_IN = 8


@dataclass(frozen=True)
class Order:
    """One job.

    Attributes:
        at: seconds after the beginning at which it is posted.
        organization: 0 or 1.
        cancel_after: seconds from then until its customer cancels it; None if he does not.
    """

    number: int
    at: float
    organization: int
    source: Source
    cancel_after: float | None = None

    @property
    def prefix(self) -> str:
        """Where its output goes, below the bucket."""
        return f"chaos/{self.number:04d}/"

    @property
    def right_end(self) -> str:
        """``completed``, or the error code of a source that lies; a cancelled job may also come to ``cancelled``."""
        return _ENDS[self.source]


def orders(seed: int, jobs: int, seconds: float) -> list[Order]:
    """So many jobs, spread over the time, of two organizations: the second has a quarter of them."""
    dice = random.Random(seed)
    deck: list[Source] = [source for source, count in _PER_TWENTY.items() for _ in range(count)]
    deck += ["short"] * (20 - len(deck))
    sources: list[Source] = []
    while len(sources) < jobs:
        sources += dice.sample(deck, len(deck))
    return [
        Order(
            number,
            at=round(number * seconds / jobs, 2),
            organization=int(number % 4 == 3),
            source=sources[number],
            cancel_after=round(dice.uniform(0, 6), 2) if number % _CANCELLED_IN == _CANCELLED_IN - 1 else None,
        )
        for number in range(jobs)
    ]

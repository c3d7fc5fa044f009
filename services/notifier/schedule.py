"""When the next attempt is made. Pure.

The delays are those of the Standard Webhooks specification, whose table counts each from the failure of the attempt
before: 0 s, 5 s, 5 min, … 24 h, so ten attempts span 75 hours and 35 minutes. Jitter only ever adds, so that no attempt
comes earlier than promised.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.retry_after import seconds_until

JITTER = 0.1


def next_attempt_at(
    attempt: int, delays: Sequence[float], now: datetime, retry_after: str | None, *, chance: float | None = None
) -> datetime | None:
    """When to try again after a failed attempt, or None when it was the last one.

    Args:
        attempt: the one that has just failed, from 1.
        delays: seconds before each attempt, counted from the one before.
        retry_after: the receiver's header of that name. It can put the next attempt off, not bring it forward: a receiver
            that says 0 would burn its attempts in a moment.
        chance: 0 to 1, how much of the jitter is added; by default drawn at random.
    """
    if attempt >= len(delays):
        return None
    chance = random.random() if chance is None else chance  # noqa: S311
    wait = max(delays[attempt], seconds_until(retry_after, now) or 0.0)
    return now + timedelta(seconds=wait * (1 + JITTER * chance))

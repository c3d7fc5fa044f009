"""When the next attempt is made. Pure.

The delays are those of the Standard Webhooks specification, whose table counts each from the failure of the attempt
before: 0 s, 5 s, 5 min, … 24 h, so ten attempts span 75 hours and 35 minutes. Jitter only ever adds, so that no attempt
comes earlier than promised.
"""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

JITTER = 0.1
LONGEST_RETRY_AFTER = 24 * 3600.0


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
    wait = max(delays[attempt], parse_retry_after(retry_after, now) or 0.0)
    return now + timedelta(seconds=wait * (1 + JITTER * chance))


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, 24 hours at most; None if it is missing or means nothing."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        # More digits than any time has would be slow to read, and mean the longest wait anyhow.
        return min(float(text[:12]), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)

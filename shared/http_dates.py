"""Dates in the headers of answers, and what they tell of the peer's clock."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MOST_SKEW = 840.0
"""Seconds. Storages believe signatures for a quarter of an hour, and an answer may have taken a while."""


def http_date(text: str) -> datetime | None:
    """A date as HTTP has it; None if it means nothing."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def clocks_differ(date: str, now: datetime | None = None) -> bool:
    """Whether the header ``Date`` of an answer shows that somebody's clock is so wrong that signatures are not believed."""
    theirs = http_date(date)
    return theirs is not None and abs((theirs - (now or datetime.now(UTC))).total_seconds()) > MOST_SKEW

"""The header ``Retry-After``, as sources, storages and receivers of webhooks send it."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER = 24 * 3600.0


def seconds_until(text: str | None, now: datetime | None = None) -> float | None:
    """Seconds from now on, from a number or a date, 24 hours at most; None if it is missing or means nothing."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        # More digits than any time has would be slow to read, and mean the longest wait anyhow.
        return min(float(text[:12]), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - (now or datetime.now(UTC))).total_seconds(), 0.0), LONGEST_RETRY_AFTER)

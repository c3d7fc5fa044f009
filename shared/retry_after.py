"""The header ``Retry-After``, as sources, storages and receivers of webhooks send it."""

from datetime import UTC, datetime

from shared.http_dates import http_date

LONGEST_RETRY_AFTER = 24 * 3600.0


def seconds_until(text: str | None, now: datetime | None = None) -> float | None:
    """Seconds from now on, from a number or a date, 24 hours at most; None if it is missing or means nothing."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        # More digits than any time has would be slow to read, and mean the longest wait anyhow.
        return min(float(text[:12]), LONGEST_RETRY_AFTER)
    moment = http_date(text)
    if moment is None:
        return None
    return min(max((moment - (now or datetime.now(UTC))).total_seconds(), 0.0), LONGEST_RETRY_AFTER)

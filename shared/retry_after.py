"""The header ``Retry-After``, as sources and storages send it."""

from email.utils import parsedate_to_datetime
from time import time


def seconds_until(text: str | None) -> float | None:
    """Seconds, from a number or a date; None where there is no such header, or nothing that can be read."""
    if text is None:
        return None
    try:
        return max(0.0, float(text) if text.strip().isdigit() else parsedate_to_datetime(text).timestamp() - time())
    except ValueError:
        return None

"""From an answer that is no success to the exception that says so. Pure, but for the clock that a date is held against."""

import time
from email.utils import mktime_tz, parsedate_tz
from typing import Any

from millrace_client import json_text
from millrace_client.errors import BY_STATUS, ApiError, MillraceError, ServerFailed, UnexpectedAnswer
from millrace_client.steps import Answer


def error_of(answer: Answer) -> MillraceError:
    """What to raise for an answer whose status is none of success."""
    if answer.status < 400:
        target = answer.headers.get("location", "elsewhere")
        return UnexpectedAnswer(
            f"HTTP {answer.status}: the server sends us to {target}. Set MILLRACE_API_URL to the address there."
        )
    try:
        body = json_text.parse(answer.text)
    except ValueError:
        body = None
    kind = BY_STATUS.get(answer.status, ServerFailed if answer.status >= 500 else ApiError)
    return kind(
        answer.status,
        detail=_detail(body),
        fields=_fields(body),
        body=body,
        retry_after=retry_after(answer),
        request_id=answer.headers.get("x-request-id"),
    )


def retry_after(answer: Answer) -> float | None:
    """Seconds of the header ``Retry-After``, which has them or a date; None if it has neither."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    date = parsedate_tz(value)
    return max(mktime_tz(date) - time.time(), 0.0) if date else None


def _detail(body: Any) -> str:
    detail = body.get("detail") if isinstance(body, dict) else None
    return detail if isinstance(detail, str) else ""


def _fields(body: Any) -> dict[str, list[str]]:
    if not isinstance(body, dict):
        return {}
    return {name: [str(each) for each in value] for name, value in body.items() if isinstance(value, list)}

"""How long a server wants to be left alone."""

from datetime import UTC, datetime

import pytest

from shared.retry_after import seconds_until

NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("999999999999999999999999", 86400),
        ("9" * 5000, 86400),
        ("Sat, 01 Mar 2025 12:02:00 GMT", 120),
        ("Sat, 01 Mar 2025 11:00:00 GMT", 0),
        ("Sun, 01 Mar 2026 12:00:00 GMT", 86400),
        ("Sat, 01 Mar 2025 12:02:00 -0000", 120),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("Sat, 99 Mar 2025 12:02:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_of_a_day_at_most(header: str | None, seconds: float | None) -> None:
    assert seconds_until(header, NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [(None, None), ("soon", None), ("7", 7), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)]
)
def test_retry_after_is_read(text: str | None, seconds: float | None) -> None:
    assert seconds_until(text) == seconds

"""When a webhook is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notifier.schedule import next_attempt_at
from services.notifier.settings import NotifierSettings, decode_delays
from shared.settings import SettingsError

NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def seconds_after(attempt: int, retry_after: str | None = None, chance: float = 0.0) -> float | None:
    delays = NotifierSettings.from_environment({"MILLRACE_SEAL_KEYS": KEY}).delays
    moment = next_attempt_at(attempt, delays, NOW, retry_after, chance=chance)
    return None if moment is None else (moment - NOW).total_seconds()


def test_ten_attempts_follow_the_published_delays() -> None:
    waits = [seconds_after(attempt) for attempt in range(1, 11)]
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_jitter_adds_a_tenth_at_most_and_takes_nothing(chance: float) -> None:
    assert seconds_after(2, chance=chance) == pytest.approx(300 * (1 + 0.1 * chance))


def test_jitter_is_drawn_anew_each_time() -> None:
    moments = {next_attempt_at(1, (0.0, 1000.0), NOW, None) for _ in range(20)}
    assert len(moments) > 1
    assert all(
        moment and NOW + timedelta(seconds=1000) <= moment <= NOW + timedelta(seconds=1100) for moment in moments
    )


def test_retry_after_puts_the_next_attempt_off_but_never_brings_it_forward() -> None:
    assert seconds_after(1, "60") == 60
    assert seconds_after(2, "60") == 300
    assert seconds_after(1, "0") == 5


def test_retry_after_does_not_make_more_attempts() -> None:
    assert seconds_after(10, "60") is None


@pytest.mark.parametrize("text", ["", "0,five", "0,-1", "nan", "0,inf", "0,604801"])
def test_delays_that_make_no_sense_stop_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="MILLRACE_NOTIFIER_RETRY_SECONDS"):
        NotifierSettings.from_environment({"MILLRACE_SEAL_KEYS": KEY, "MILLRACE_NOTIFIER_RETRY_SECONDS": text})


def test_delays_can_be_fractions() -> None:
    assert decode_delays("0, 0.2,1") == (0.0, 0.2, 1.0)

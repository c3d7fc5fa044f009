"""Settings of the notifier."""

import math
from typing import ClassVar

from pydantic import Field, field_validator

from shared.settings import SealingSettings, WorkerSettings


class NotifierSettings(WorkerSettings, SealingSettings):
    """Settings of the notifier."""

    service: ClassVar[str] = "notifier"
    slots: int = Field(16, ge=1, le=256, description="How many webhook requests run at the same time")
    grace_seconds: float = Field(20, ge=0, le=3600, description="After SIGTERM, how long running requests may go on")
    retry_seconds: str = Field(
        "0,5,300,1800,7200,18000,36000,50400,72000,86400",
        description="Delay before each attempt, in seconds since the one before; their number is that of the attempts",
    )
    timeout_seconds: float = Field(15, gt=0, le=120, description="How long a webhook may take to answer")

    @field_validator("retry_seconds")
    @classmethod
    def _delays_are_numbers(cls, value: str) -> str:
        decode_delays(value)
        return value

    @property
    def delays(self) -> tuple[float, ...]:
        """Seconds before each attempt, counted from the one before."""
        return decode_delays(self.retry_seconds)


def decode_delays(text: str) -> tuple[float, ...]:
    """Comma separated seconds as numbers.

    Raises:
        ValueError: one of them is none, negative or longer than a week (a queue's record is kept for two).
    """
    delays = tuple(float(piece) for piece in text.split(","))
    if not all(math.isfinite(delay) and 0 <= delay <= 7 * 24 * 3600 for delay in delays):
        raise ValueError("every delay must be between 0 and 604800 seconds")
    return delays

"""What was looked at, how it is, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How something is. Of warnings nothing breaks today; what is skipped could not be looked at."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``remedy`` is empty where there is nothing to do."""

    check: str
    level: Level
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """It is as it should be."""
    return Finding(check, Level.OK, found)


def warning(check: str, found: str, remedy: str) -> Finding:
    """It works, and will not for long, or not as well as it could."""
    return Finding(check, Level.WARNING, found, remedy)


def failed(check: str, found: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(check, Level.FAILED, found, remedy)


def skipped(check: str, found: str, remedy: str = "") -> Finding:
    """It could not be looked at."""
    return Finding(check, Level.SKIPPED, found, remedy)

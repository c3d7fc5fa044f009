"""Who asks what time it is: only where an instant is told, or held against one that somebody else told. Durations have another clock."""

import ast
from collections.abc import Iterator

import pytest

from tests.support.servers import REPOSITORY

READERS = {
    # The instant of an event, for people; nothing is decided by it.
    "shared/events.py",
    # How long work has waited, over processes: of a clock that was set it counts five minutes at most.
    "shared/bus/outages.py",
    # Held against a date that a server has sent.
    "shared/http_dates.py",
    "shared/retry_after.py",
    # When a token ends; PostgreSQL's clock decides whether it has.
    "services/api/accounts/issuing.py",
    # When the address of a key ends.
    "services/api/drm/signed_addresses.py",
    # When a permission to use the bus was signed.
    "services/api/feed/signing.py",
    # Held against the dates of uploads in pieces that a storage tells of.
    "shared/workspace/objects.py",
    # The instant that a webhook's signature covers.
    "services/notifier/receiver.py",
    # When a worker was last heard of, and since when it has been at what: for people.
    "shared/bus/roster.py",
    # How long work has waited, as a number to be drawn.
    "shared/bus/metrics.py",
    "services/api/projection/queues.py",
}
"""All modules that read the wall clock, which somebody may set, and what for."""

FOR_PEOPLE = ("services/api/operator/", "services/api/admin/", "shared/tracing/")
"""Below these it is read to show how long something has taken, and for commands of operators about what is hours old."""

_CALLS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}


def readers() -> Iterator[str]:
    for package in ("shared", "services"):
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            if any(reads_wall_clock(node) for node in ast.walk(ast.parse(path.read_text()))):
                yield path.relative_to(REPOSITORY).as_posix()


def reads_wall_clock(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in _CALLS


@pytest.mark.parametrize("text", ["time.time()", "datetime.now(UTC)", "datetime.datetime.now(UTC)", "clock=time.time"])
def test_a_reading_is_recognized(text: str) -> None:
    assert any(reads_wall_clock(node) for node in ast.walk(ast.parse(f"f({text})")))


def test_few_ask_what_time_it_is() -> None:
    assert {name for name in readers() if not name.startswith(FOR_PEOPLE)} == READERS

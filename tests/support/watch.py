"""A watch on the event loops of our processes: callbacks that take longer than a loop may stand still fail the test.

What is watched, and how, stands in ``watchdog/sitecustomize.py``, which Python loads at its start.
"""

import asyncio.events
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).parent / "watchdog"
FILE = "SLOW_CALLBACKS"
LIMIT_SECONDS = 0.05


@contextmanager
def this_loop() -> Iterator[list[str]]:
    """Watch the event loops of the test's own process; the list gets what was slow."""
    slow: list[str] = []
    run = asyncio.events.Handle._run

    def watched(self: asyncio.events.Handle) -> None:
        begin = time.thread_time()
        run(self)
        took = time.thread_time() - begin
        if took > LIMIT_SECONDS:
            slow.append(f"{took * 1000:.0f} ms: {self!r}")

    asyncio.events.Handle._run = watched  # type: ignore[method-assign]
    try:
        yield slow
    finally:
        asyncio.events.Handle._run = run  # type: ignore[method-assign]


def environment(file: Path) -> dict[str, str]:
    """Variables that have a Python process watched, and its slow callbacks told in a file, one a line."""
    return {FILE: str(file), "PYTHONPATH": str(FOLDER)}


def inherited() -> dict[str, str]:
    """The same for a process that a test starts, as the test's own environment says; nothing where it is not watched."""
    file = os.environ.get(FILE)
    return environment(Path(file)) if file else {}


def milliseconds(line: str) -> int:
    """How long the callback took that a line tells of."""
    return int(line.partition(" ")[0])


def slow_callbacks(file: Path) -> list[str]:
    """What was slow since the last call."""
    if not file.exists():
        return []
    lines = file.read_text().splitlines()
    file.unlink()
    return lines

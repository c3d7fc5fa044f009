"""Lines in the log: nothing fails for want of one."""

import asyncio
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest
import structlog

from shared.logs import configure_logs
from tests.support.servers import REPOSITORY

PROGRAM = """
import logging, sys, structlog
from shared.logs import configure_logs
configure_logs("api", "info")
for number in range(200):
    structlog.get_logger().info("a line", number=number, text="x" * 500)
    logging.getLogger("library").error("a line of a library")
sys.stderr.write("went on")
"""


class Full(io.StringIO):
    """A file on a disk that is full at times."""

    full = True
    refused = ""

    def write(self, text: str) -> int:
        if self.full:
            self.refused += text
            raise OSError(28, "No space left on device")
        return super().write(text)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    logging.basicConfig(force=True)


async def test_a_line_that_cannot_be_written_is_lost_and_the_next_one_is_not(
    monkeypatch: pytest.MonkeyPatch, restored: None
) -> None:
    output = Full()
    monkeypatch.setattr(sys, "stdout", output)
    configure_logs("api", "info")
    await structlog.get_logger().ainfo("lost")
    structlog.get_logger().info("lost")
    logging.getLogger("library").error("lost")
    await until(lambda: output.refused.count("lost") == 3)
    output.full = False
    await structlog.get_logger().ainfo("kept")
    logging.getLogger("library").error("kept too")
    await until(lambda: output.getvalue().count("\n") == 2)
    lines = [json.loads(line) for line in output.getvalue().splitlines() if line]
    assert [line["event"] for line in lines] == ["kept", "kept too"]


def test_the_last_lines_of_a_process_are_written() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines] == 200 * ["a line", "a line of a library"]


def test_a_process_goes_on_where_its_output_is_full_or_read_by_nobody() -> None:
    def run(output: TextIO | int) -> str:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            check=False,
        )
        return done.stderr

    with Path("/dev/full").open("w") as full:
        assert run(full).startswith("went on")
    reading, writing = os.pipe()
    os.close(reading)
    assert run(writing).startswith("went on")
    os.close(writing)

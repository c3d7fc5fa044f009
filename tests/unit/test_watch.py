"""The watch on event loops finds what keeps them from turning, and nothing else."""

import subprocess
import sys
from pathlib import Path

from tests.support import watch

PROGRAM = """
import asyncio, time

def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass

async def main():
    {work}

asyncio.run(main())
"""


def slow(tmp_path: Path, work: str) -> list[str]:
    file = tmp_path / "slow"
    subprocess.run([sys.executable, "-c", PROGRAM.format(work=work)], env=watch.environment(file), check=True)
    return watch.slow_callbacks(file)


def test_a_callback_that_works_for_long_is_told_of(tmp_path: Path) -> None:
    assert len(slow(tmp_path, "burn(0.06)")) == 1


def test_work_in_a_thread_and_waiting_are_no_standstill(tmp_path: Path) -> None:
    assert slow(tmp_path, "await asyncio.to_thread(burn, 0.06); time.sleep(0.06)") == []

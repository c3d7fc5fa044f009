"""Child processes: limits, output, and that none is ever left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.process import Finished, ProcessLimits, ProcessStalled, ProcessTimeout, run_process
from stack.processes import wait_until
from tests.support.observe import children

REPOSITORY = Path(__file__).resolve().parents[2]


async def sh(script: str, **limits: float | int | None) -> Finished:
    return await run_process(["sh", "-c", script], limits=ProcessLimits(**limits), touches=None)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(pid: int, seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    return not alive(pid)


async def test_output_status_and_errors() -> None:
    finished = await sh("echo out; echo one >&2; echo two >&2; exit 3")
    assert finished == Finished(3, b"out\n", "one\ntwo")


async def test_the_signal_that_ended_it_is_a_negative_status() -> None:
    assert (await sh("kill -TERM $$")).status == -signal.SIGTERM


@pytest.mark.parametrize(
    ("end", "killed"),
    [
        *(("kill -KILL $$", True), ("kill -TERM $$", True), ("exit 255", True)),
        *(("kill -SEGV $$", False), ("kill -XFSZ $$", False), ("exit 1", False), ("exit 0", False)),
    ],
)
async def test_who_has_ended_it(end: str, killed: bool) -> None:
    assert (await sh(end)).killed == killed


async def test_standard_input_is_empty_and_the_process_leads_a_group() -> None:
    finished = await sh("cat; ps -o pgid= -p $$; echo $$")
    group, pid = finished.output.split()
    assert group == pid
    assert int(group) != os.getpgid(0)


async def test_only_the_end_of_standard_error_is_kept_and_progress_bars_are_lines() -> None:
    finished = await sh(r"i=0; while [ $i -lt 100 ]; do printf 'bar %d\r' $i >&2; i=$((i+1)); done; printf last >&2")
    lines = finished.error_tail.splitlines()
    assert len(lines) == 40
    assert lines[-2:] == ["bar 99", "last"]


async def test_lines_are_handed_over_as_they_come() -> None:
    lines: list[str] = []

    async def on_line(line: str) -> bool:
        lines.append(line)
        return True

    finished = await run_process(["printf", r"one\ntwo\n"], limits=ProcessLimits(), touches=None, on_line=on_line)
    assert (lines, finished.output) == (["one", "two"], b"")


async def test_a_process_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    begun = time.monotonic()
    with pytest.raises(ProcessTimeout):
        await sh(f"sleep 60 & echo $! > {pids}; echo $$ >> {pids}; wait", seconds=0.3)
    assert time.monotonic() - begun < 5
    for pid in pids.read_text().split():
        assert await gone(int(pid))


async def test_progress_puts_off_the_end_and_a_stall_brings_it() -> None:
    async def on_line(line: str) -> bool:
        return line == "grown"

    script = "for i in 1 2 3 4 5; do echo grown; sleep 0.1; done; while :; do echo same; sleep 0.05; done"
    begun = time.monotonic()
    with pytest.raises(ProcessStalled):
        await run_process(["sh", "-c", script], limits=ProcessLimits(stall_seconds=0.4), touches=None, on_line=on_line)
    assert time.monotonic() - begun > 0.7


async def test_too_much_output_ends_it() -> None:
    with pytest.raises(ProcessTimeout):
        await sh("while :; do echo 0123456789; done", output_bytes=100_000)


async def test_cancelling_kills_the_group_before_it_returns(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    task = asyncio.create_task(sh(f"sleep 60 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait"))
    while not pids.exists():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for pid in pids.read_text().split():
        assert await gone(int(pid), 1)


async def test_cancelling_while_it_starts_kills_the_group(tmp_path: Path) -> None:
    pids, before = tmp_path / "pids", len(children())
    task = asyncio.create_task(sh(f"sleep 600 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait"))
    while len(children()) == before:
        await asyncio.sleep(0)
    # As the loop stands still meanwhile, its pipes are not connected when the cancellation comes.
    assert wait_until(pids.exists, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(60):
            await task
    for pid in pids.read_text().split():
        assert await gone(int(pid), 1)


async def test_a_child_left_behind_by_its_leader_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    await sh(f"sleep 60 >/dev/null 2>&1 & echo $! > {pid}")
    assert await gone(int(pid.read_text()))


async def test_a_worker_that_is_killed_outright_leaves_nothing(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = (
        "import asyncio, sys; from shared.process import *;"
        f"asyncio.run(run_process(['sh', '-c', 'echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 60'], limits=ProcessLimits(), touches=None))"
    )
    worker = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY)
    deadline = time.monotonic() + 20
    while not pid.exists() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    child = int(pid.read_text())
    assert alive(child)
    worker.kill()
    worker.wait()
    assert await gone(child)


async def test_a_file_may_not_grow_beyond_its_limit(tmp_path: Path) -> None:
    finished = await sh(f"exec head -c 2000000 /dev/zero > {tmp_path}/file", file_bytes=1_000_000)
    assert finished.status == -signal.SIGXFSZ
    assert (tmp_path / "file").stat().st_size == 1_000_000


async def test_memory_is_bounded() -> None:
    script = "bytearray(400_000_000)"
    finished = await run_process(
        [sys.executable, "-c", script], limits=ProcessLimits(memory_bytes=300_000_000), touches=None
    )
    assert finished.status == 1
    assert "MemoryError" in finished.error_tail


async def test_a_process_has_no_network() -> None:
    """In a namespace of its own there is no route, not even to this machine."""
    async with await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        script = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        finished = await run_process([sys.executable, "-c", script], limits=ProcessLimits(seconds=20), touches=None)
        if await _same_network():
            pytest.skip("this kernel gives an unprivileged process no network namespace")
        assert finished.status == 1
        assert "unreachable" in finished.error_tail


async def _same_network() -> bool:
    inside = await sh("readlink /proc/self/ns/net")
    return inside.output.decode().strip() == str(Path("/proc/self/ns/net").readlink())


async def test_a_child_gets_none_of_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_SEAL_KEYS", "secret")
    finished = await sh("env")
    assert b"PATH=" in finished.output
    assert b"MILLRACE" not in finished.output

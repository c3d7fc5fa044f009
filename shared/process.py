"""Child processes with limits, which die with their work and with their worker."""

import asyncio
import os
import resource
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil

from shared.cage import kernel
from shared.cage.cage import Entrance, Touches, current

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_", "NVIDIA_")
# Signals that no process sends itself when its input is more than it can bear.
_FROM_OUTSIDE = (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)
# What ffmpeg, which then finishes its files, ends with after one of them.
_TOLD_TO_END = 255
# Seconds between the signal that says that the processor time is used up, and the one that ends all.
_LAST_WORDS = 5


class ProcessTimeout(Exception):
    """The process took longer than it may, and was killed."""


class ProcessStalled(Exception):
    """The process made no progress for as long as it may, and was killed."""


@dataclass(frozen=True)
class ProcessLimits:
    """What a process may use at most; None is no limit.

    Attributes:
        seconds: wall time. stall_seconds: time without progress. cpu_seconds: time of processors.
        memory_bytes: address space. file_bytes: size of a file it writes.
        output_bytes: of standard output that is kept; more kills the process.
    """

    seconds: float | None = None
    stall_seconds: float | None = None
    cpu_seconds: float | None = None
    memory_bytes: int | None = None
    file_bytes: int | None = None
    output_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True)
class Finished:
    """How a process ended: exit status (negative: the signal), standard output, the last lines of standard error."""

    status: int
    output: bytes
    error_tail: str

    @property
    def killed(self) -> bool:
        """Somebody else has ended it: a kernel that was out of memory, or whoever looks after the machine."""
        return self.status == _TOLD_TO_END or -self.status in _FROM_OUTSIDE


OnLine = Callable[[str], Awaitable[bool]]
"""Gets a line of standard output; answers whether it shows progress."""


async def run_process(
    argv: Sequence[str], *, limits: ProcessLimits, touches: Touches | None, on_line: OnLine | None = None
) -> Finished:
    """Run a program to its end, in a process group and (where the kernel lets us) a network namespace of its own.

    Args:
        touches: what it may touch, in :mod:`the cage <shared.cage>`; None to run it outside, on what is no stranger's.

    With ``on_line`` the output is handed over line by line and not kept. If the caller is cancelled, the whole group is
    killed before the cancellation goes on.

    Raises:
        ProcessTimeout, ProcessStalled: a limit was passed.
    """
    process = await _start(argv, limits, touches)
    assert process.stdout and process.stderr  # noqa: S101 - asked for with PIPE
    tail: deque[str] = deque(maxlen=40)
    watch = _Progress()
    reading = asyncio.gather(
        _read_output(process.stdout, on_line, limits.output_bytes, watch),
        _read_errors(process.stderr, tail),
        process.wait(),
    )
    # Looked at here, or asyncio complains that nobody did where a second cancellation interrupts the end below.
    reading.add_done_callback(_seen)
    try:
        output = await _within(reading, limits, watch)
    finally:
        reading.cancel()
        await _kill_group(process)
        with suppress(asyncio.CancelledError, Exception):
            await reading
    return Finished(process.returncode or 0, output, "\n".join(tail))


def _seen(done: "asyncio.Future[tuple[bytes, None, int]]") -> None:
    with suppress(asyncio.CancelledError, Exception):
        done.result()


class _Progress:
    def __init__(self) -> None:
        self.last = asyncio.get_running_loop().time()

    def made(self) -> None:
        self.last = asyncio.get_running_loop().time()


async def _start(argv: Sequence[str], limits: ProcessLimits, touches: Touches | None) -> asyncio.subprocess.Process:
    starting = asyncio.ensure_future(_begin(argv, limits, touches))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Cancelled itself, it would kill the leader alone and wait for as long as a grandchild has the leader's pipes.
        with suppress(OSError):
            await _kill_group(await starting)
        raise


async def _begin(argv: Sequence[str], limits: ProcessLimits, touches: Touches | None) -> asyncio.subprocess.Process:
    # What it touches may lie on a disk that is slow to answer.
    entrance = await asyncio.to_thread(current().around, argv[0], touches)
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            start_new_session=True,
            preexec_fn=_child_setup(limits, entrance),
            limit=1024 * 1024,
        )
    finally:
        entrance.close()


async def _within(reading: "asyncio.Future[tuple[bytes, None, int]]", limits: ProcessLimits, watch: _Progress) -> bytes:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.seconds if limits.seconds else float("inf")
    while True:
        stalled_at = watch.last + limits.stall_seconds if limits.stall_seconds else float("inf")
        wait = min(deadline, stalled_at) - loop.time()
        done, _ = await asyncio.wait({reading}, timeout=None if wait == float("inf") else max(wait, 0.0))
        if done:
            return reading.result()[0]
        if loop.time() >= deadline:
            raise ProcessTimeout(f"still running after {limits.seconds:.0f} s")
        if limits.stall_seconds and loop.time() >= watch.last + limits.stall_seconds:
            raise ProcessStalled(f"no progress for {limits.stall_seconds:.0f} s")


async def _read_output(stream: asyncio.StreamReader, on_line: OnLine | None, most: int, watch: _Progress) -> bytes:
    if on_line:
        async for line in stream:
            if await on_line(line.decode(errors="replace").rstrip("\n")):
                watch.made()
        return b""
    kept = bytearray()
    while chunk := await stream.read(65536):
        watch.made()
        kept += chunk
        if len(kept) > most:
            raise ProcessTimeout(f"more than {most} bytes of output")
    return bytes(kept)


async def _read_errors(stream: asyncio.StreamReader, tail: deque[str]) -> None:
    rest = b""
    while chunk := await stream.read(65536):
        # Progress bars end their lines with a carriage return; a line without any end is cut.
        *lines, rest = (rest + chunk).replace(b"\r", b"\n")[-65536:].split(b"\n")
        tail.extend(line.decode(errors="replace")[:500] for line in lines if line.strip())
    if rest.strip():
        tail.append(rest.decode(errors="replace")[:500])


async def _kill_group(process: asyncio.subprocess.Process) -> None:
    # The group outlives its leader if a grandchild is left, so it is killed even when the leader has ended.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _environment() -> dict[str, str]:
    """What a child gets of our environment: where things are, and the GPU, but none of our settings, which hold keys."""
    return {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}


def _child_setup(limits: ProcessLimits, entrance: Entrance) -> Callable[[], None]:
    parent = os.getpid()

    def setup() -> None:
        _limit(resource.RLIMIT_CORE, 0)
        if limits.memory_bytes:
            _limit(resource.RLIMIT_AS, limits.memory_bytes)
        if limits.file_bytes is not None:
            _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
        if limits.cpu_seconds:
            seconds = ceil(limits.cpu_seconds)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + _LAST_WORDS))
        entrance.enter(die_with_parent)

    def die_with_parent() -> None:
        # A worker that is killed outright must leave no encoder behind.
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return setup


def _limit(kind: int, most: int) -> None:
    resource.setrlimit(kind, (most, most))

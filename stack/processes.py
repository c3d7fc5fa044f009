"""Processes by identity: a pid alone may belong to somebody else by now, a pid with its start time may not."""

import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Identity:
    """One process, never to be confused with a later one of the same pid, not even after a reboot."""

    pid: int
    started: int
    boot: str

    @property
    def alive(self) -> bool:
        """It runs; a zombie does not."""
        return _started(self.pid) == self.started and self.boot == boot_id()

    def send(self, number: signal.Signals) -> None:
        """Signal the process if it still is the one that is meant."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


@cache
def boot_id() -> str:
    """What tells this boot of the machine from others."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process; None where there is none, or a zombie.

    What psutil tells instead is a time of day, which for one process is another after the clock has been set: no identity for
    longer than a run of a program.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name is in parentheses and may hold anything, so the fields are counted from the last one.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def identify(pid: int) -> Identity | None:
    """The process that has this pid now."""
    started = _started(pid)
    return None if started is None else Identity(pid, started, boot_id())


def children(pid: int, *, recursive: bool = False) -> list[int]:
    """Pids of the children of a process, zombies included; with ``recursive`` of all descendants, each parent before its own."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=recursive)]
    except psutil.NoSuchProcess:
        return []


def descendants(pid: int) -> list[int]:
    """Pids of all descendants of a process, parents before their children."""
    return children(pid, recursive=True)


def tree_cpu_seconds(pid: int) -> float:
    """CPU time that a process and all its descendants, living and waited for, have used."""
    used = 0.0
    for member in (pid, *descendants(pid)):
        with suppress(psutil.NoSuchProcess):
            used += sum(psutil.Process(member).cpu_times()[:4])
    return used


def used_by(argv: Sequence[str]) -> resource.struct_rusage:
    """Run a program to its end; what it, and all that it has waited for, has used.

    Raises:
        RuntimeError: it failed.
    """
    process = subprocess.Popen(argv)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv)} ended with status {process.returncode}")
    return used


def kill_all(victims: Iterable[Identity]) -> None:
    """SIGKILL to each that still runs."""
    for victim in victims:
        victim.send(signal.SIGKILL)


def stop_with_descendants(process: Identity, number: signal.Signals, grace: float) -> None:
    """Signal a process that need not be our child, wait, then kill what is left of it and of all that it started."""
    family = [process]
    if process.alive:
        family += filter(None, map(identify, descendants(process.pid)))
    process.send(number)
    wait_until(lambda: not process.alive, grace)
    kill_all(family)
    wait_until(lambda: not any(member.alive for member in family), 5)


def wait_until(condition: Callable[[], bool], seconds: float, interval: float = 0.05) -> bool:
    """Ask until the answer is yes; False when it is not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


@dataclass(frozen=True)
class Record:
    """What the supervisor knows of a program: its process, how often it was restarted, whether it was ready since."""

    name: str
    process: Identity
    restarts: int = 0
    ready: bool = False

    def write(self, folder: Path) -> None:
        """Write ``<name>.json`` for us and ``<name>.pid`` for everybody."""
        for suffix, text in ((".json", json.dumps(asdict(self))), (".pid", str(self.process.pid))):
            partial = folder / f".{self.name}{suffix}"
            partial.write_text(text + "\n")
            partial.replace(folder / f"{self.name}{suffix}")

    @staticmethod
    def remove(folder: Path, name: str, *, keep_history: bool = False) -> None:
        """Remove the pid file, and with it, unless the history is kept, what we know."""
        (folder / f"{name}.pid").unlink(missing_ok=True)
        if not keep_history:
            (folder / f"{name}.json").unlink(missing_ok=True)


def read_records(folder: Path) -> dict[str, Record]:
    """All records in the folder by name; one that was cut off by a crash is as good as none."""
    records: dict[str, Record] = {}
    # Not those that are just being written, nor one that its supervisor takes away meanwhile.
    for path in sorted(folder.glob("[!.]*.json")):
        with suppress(ValueError, KeyError, TypeError, FileNotFoundError):
            data = json.loads(path.read_text())
            records[path.stem] = Record(data["name"], Identity(**data["process"]), data["restarts"], data["ready"])
    return records

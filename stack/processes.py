"""Processes by identity: a pid alone may belong to somebody else by now, a pid with its start time may not."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Stat:
    """A line of the process table.

    Attributes:
        started: clock ticks from boot to the process's start.
        cpu_seconds: user and system time of the process and of all its children that it has waited for.
    """

    pid: int
    parent: int
    group: int
    zombie: bool
    started: int
    cpu_seconds: float


@dataclass(frozen=True)
class Identity:
    """One process, never to be confused with a later one of the same pid, not even after a reboot."""

    pid: int
    started: int
    boot: str

    @property
    def alive(self) -> bool:
        """It runs; a zombie does not."""
        stat = stat_of(self.pid)
        return stat is not None and not stat.zombie and stat.started == self.started and self.boot == boot_id()

    def send(self, number: signal.Signals) -> None:
        """Signal the process if it still is the one that is meant."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


@cache
def boot_id() -> str:
    """What tells this boot of the machine from others."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def stat_of(pid: int) -> Stat | None:
    """What ``/proc/<pid>/stat`` says; None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name is in parentheses and may hold anything, so the fields are counted from the last one.
    fields = text.rpartition(")")[2].split()
    cpu = sum(int(field) for field in fields[11:15]) / _TICKS
    return Stat(pid, int(fields[1]), int(fields[2]), fields[0] == "Z", int(fields[19]), cpu)


def identify(pid: int) -> Identity | None:
    """The process that has this pid now."""
    stat = stat_of(pid)
    return Identity(pid, stat.started, boot_id()) if stat and not stat.zombie else None


def descendants(pid: int) -> list[Stat]:
    """All living descendants of a process, parents before their children."""
    children: dict[int, list[Stat]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (stat := stat_of(int(entry.name))):
            children.setdefault(stat.parent, []).append(stat)
    found: list[Stat] = []
    queue = [pid]
    while queue:
        for stat in children.get(queue.pop(), []):
            found.append(stat)
            queue.append(stat.pid)
    return found


def tree_cpu_seconds(pid: int) -> float:
    """CPU time that a process and all its descendants, living and waited for, have used."""
    own = stat_of(pid)
    return sum(stat.cpu_seconds for stat in [*([own] if own else []), *descendants(pid)])


def kill_all(victims: Iterable[Identity]) -> None:
    """SIGKILL to each that still runs."""
    for victim in victims:
        victim.send(signal.SIGKILL)


def stop_with_descendants(process: Identity, number: signal.Signals, grace: float) -> None:
    """Signal a process that need not be our child, wait, then kill what is left of it and of all that it started."""
    family = [process]
    if process.alive:
        family += filter(None, (identify(stat.pid) for stat in descendants(process.pid)))
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

"""Whether the machine is quiet enough for its figures to mean something.

The load average says how many processes want to run, ours among them. What spoils a measurement is the time that others
take away meanwhile: what the kernel counts as busy, less what we and the stack have used.
"""

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

from stack.processes import tree_cpu_seconds

_TICKS = os.sysconf("SC_CLK_TCK")
_STAT = Path("/proc/stat")
# user, nice, system, irq, softirq and steal, of the fields that follow "cpu"; the others are idle, or counted twice.
_BUSY = (0, 1, 2, 5, 6, 7)

MOST_TAKEN = 0.05
"""Share of all processors that others may take: a run that gets so much less is as much slower."""

SAMPLE_SECONDS = 3


@dataclass(frozen=True)
class Machine:
    """What the figures come from; the load averages are those of the last 1, 5 and 15 minutes before the first run."""

    processors: int
    model: str
    load: tuple[float, float, float]

    @classmethod
    def here(cls) -> "Machine":
        """This machine now. Processors are those that this process may use."""
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else "unknown"
        return cls(len(os.sched_getaffinity(0)), model, os.getloadavg())


@dataclass(frozen=True)
class Used:
    """Seconds on some clock, of all processors, and of ours."""

    clock: float
    busy: float
    own: float


class Watch:
    """Tells what others have taken of the processors since it began.

    Args:
        supervisor: pid of the stack's, whose processes are ours.
    """

    def __init__(self, supervisor: int | None = None) -> None:
        self._supervisor = supervisor
        self._begun = self._used()

    def taken(self) -> float:
        """Share of all processors that others have had."""
        return taken(self._begun, self._used(), os.cpu_count() or 1)

    def _used(self) -> Used:
        stack = tree_cpu_seconds(self._supervisor) if self._supervisor else 0
        return Used(time.monotonic(), busy_seconds(_STAT.read_text()), own_cpu_seconds() + stack)


def taken(begun: Used, ended: Used, processors: int) -> float:
    """Share of all processors that others have had between two looks."""
    others = (ended.busy - begun.busy) - (ended.own - begun.own)
    return max(0.0, others / ((ended.clock - begun.clock) * processors))


def busy_seconds(stat: str) -> float:
    """Seconds that all processors together have worked, or another guest has worked on them, as ``/proc/stat`` tells."""
    fields = stat.splitlines()[0].split()[1:]
    return sum(int(fields[number]) for number in _BUSY) / _TICKS


def own_cpu_seconds() -> float:
    """CPU time of this process and of the children that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def why_busy(shares: dict[str, float]) -> str | None:
    """Why the figures of a run are not to be quoted; None if they may be.

    Args:
        shares: what others took, by when that was.
    """
    when, most = max(shares.items(), key=lambda each: each[1])
    if most <= MOST_TAKEN:
        return None
    return f"others took {most:.0%} of the processors {when}; {MOST_TAKEN:.0%} is the most that leaves ratios their meaning"


def taken_now(supervisor: int | None) -> float:
    """Share of all processors that others take during a few seconds, in which we do nothing."""
    watch = Watch(supervisor)
    time.sleep(SAMPLE_SECONDS)
    return watch.taken()

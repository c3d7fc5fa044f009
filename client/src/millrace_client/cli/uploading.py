"""A file on its way into the storage: a bar in a terminal, a line for each tenth anywhere else."""

from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

_LINES = 10


class UploadView:
    """A context manager that shows how far an upload is, as it is called. It writes to standard error alone."""

    def __init__(self, file: Path) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._progress.add_task(f"uploading {file.name}", total=None)
        self._line = 0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def __call__(self, sent: int, size: int) -> None:
        """Take note that so many bytes of all have gone out."""
        if self._console.is_terminal:
            self._progress.update(self._task, completed=sent, total=size)
            return
        line = sent * _LINES // size
        if line > self._line:
            self._console.print(f"uploaded {sent * 100 // size:3d} %", highlight=False, markup=False)
        self._line = line

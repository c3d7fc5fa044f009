"""A job while it runs: a picture that moves in a terminal, plain lines anywhere else."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from millrace_client.cli.display import harmless, stage_of
from millrace_client.cli.pace import STAGES, Pace, roughly
from millrace_client.cli.parts import Parts
from millrace_client.errors import MillraceError
from millrace_client.models import Job, Status

# A job of a thousand parts has one done every few seconds; nobody sees more than that.
_PARTS_SECONDS = 2.0
_LINE_PERCENT = 10


class JobView:
    """A context manager that shows the states it is given by :meth:`show`.

    Args:
        count: asks how many parts are done; called on a thread of its own every few seconds.
    """

    def __init__(self, console: Console, count: Callable[[], Parts] | None = None) -> None:
        self._console = console
        self._begun = time.monotonic()
        self._pace = Pace(self._begun)
        self._spinner = Spinner("dots")
        self._shown = ("", -1)
        self._parts: Parts | None = None
        self._over = threading.Event()
        self._counter = threading.Thread(target=self._count, args=(count,), daemon=True) if count else None
        # Last, since it draws its picture at once.
        self._live = Live(get_renderable=self._picture, console=console, refresh_per_second=8)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
            if self._counter:
                self._counter.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._console.is_terminal:
            self._live.stop()

    def show(self, job: Job) -> None:
        """Take a new state of the job."""
        now = time.monotonic()
        self._pace.take(job, now)
        if job.status is Status.COMPLETED and self._parts:
            self._parts = Parts(self._parts.all, self._parts.all)
        if self._console.is_terminal or job.finished:
            return
        # Plain lines are for logs, where a line for every percent would be many.
        step = (stage_of(job), job.progress // _LINE_PERCENT)
        if step != self._shown:
            self._shown = step
            self._console.print(
                f"{now - self._begun:7.1f} s  {stage_of(job):<12} {job.progress:3d} %", highlight=False, markup=False
            )

    def _count(self, count: Callable[[], Parts]) -> None:
        while not self._over.wait(_PARTS_SECONDS):
            if self._pace.stage in ("transcoding", "uploading"):
                try:
                    self._parts = count()
                except MillraceError:
                    # The number is an extra; whether the server is there, who follows the job finds out.
                    self._parts = None

    def _picture(self) -> RenderableType:
        now = time.monotonic()
        table = Table.grid(padding=(0, 2))
        for stage in STAGES:
            seconds = self._pace.seconds(stage, now)
            current = stage == self._pace.stage
            done = not current and self._is_past(stage)
            mark: RenderableType = self._spinner if current else Text("✓" if done else "·", "green" if done else "dim")
            shown = Text("" if seconds is None else f"{seconds:.1f} s", justify="right")
            table.add_row(
                mark, Text(stage, "bold" if current else "" if done else "dim"), shown, Text(self._more(stage, now))
            )
        bar = Table.grid(padding=(0, 2))
        progress = self._pace.job.progress if self._pace.job else 0
        left = self._pace.left(now)
        bar.add_row(
            ProgressBar(total=100, completed=progress, width=40),
            f"{progress} %",
            f"about {roughly(left)} left" if left is not None and not self._ended else "",
        )
        lines: list[RenderableType] = [table, bar]
        if self._pace.job and (waiting := self._pace.job.waiting):
            lines.append(Text(harmless(f"waiting: {waiting.message}"), "yellow"))
        return Group(*lines)

    @property
    def _ended(self) -> bool:
        return self._pace.job is not None and self._pace.job.finished

    def _more(self, stage: str, now: float) -> str:
        """What else is known of a stage."""
        job = self._pace.job
        if stage == "queued" == self._pace.stage and job and job.queue_position:
            return f"place {job.queue_position} in the queue"
        if stage != "transcoding":
            return ""
        found = [f"{self._parts.done} of {self._parts.all} parts"] if self._parts else []
        speed = self._pace.speed(now) if stage == self._pace.stage else None
        if speed is not None:
            found.append(f"{speed:.2f} times real time")
        return ", ".join(found)

    def _is_past(self, stage: str) -> bool:
        current = self._pace.stage
        if current == "done":
            return self._pace.job is not None and (
                self._pace.job.status is Status.COMPLETED or self._pace.job.timings.get(stage) is not None
            )
        return current in STAGES and STAGES.index(stage) < STAGES.index(current)

"""How a job is shown while it runs: moving bars on a terminal, plain lines anywhere else."""

import time
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

STAGES = ("queued", "fetching", "transcoding", "uploading")


class StageClock:
    """Which stage a job is in and how long each has lasted, as far as its events tell."""

    def __init__(self, now: float) -> None:
        self._began = {"queued": now}
        self.stage = "queued"
        self.progress = 0

    def take(self, state: dict[str, Any], now: float) -> bool:
        """Note what the job says of itself; whether it entered another stage."""
        self.progress = max(self.progress, int(state.get("progress") or 0))
        moved = bool(state["stage"] != self.stage)
        self.stage = state["stage"]
        self._began.setdefault(self.stage, now)
        return moved

    def seconds(self, stage: str, now: float) -> float | None:
        """How long the stage has lasted; None if it has not begun (or was too short to be seen)."""
        if stage not in self._began:
            return None
        later = [begun for other, begun in self._began.items() if begun > self._began[stage] and other != stage]
        return min(later, default=now) - self._began[stage]


class Display:
    """A context manager that shows the states it is given by :meth:`show`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()
        self._clock = StageClock(self._begun)
        self._spinner = Spinner("dots")
        self._live = Live(get_renderable=self._picture, console=console, refresh_per_second=8)
        self._last_step = -1

    def __enter__(self) -> "Display":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def show(self, state: dict[str, Any]) -> None:
        """Take a new state of the job."""
        now = time.monotonic()
        moved = self._clock.take(state, now)
        if self._console.is_terminal:
            return
        step = self._clock.progress // 10
        if moved or step > self._last_step:
            self._last_step = step
            self._console.print(f"{now - self._begun:7.1f} s  {self._clock.stage:<12} {self._clock.progress:3d} %")

    def _picture(self) -> RenderableType:
        now = time.monotonic()
        table = Table.grid(padding=(0, 2))
        for stage in STAGES:
            seconds = self._clock.seconds(stage, now)
            current = stage == self._clock.stage
            done = not current and (seconds is not None or self._is_past(stage))
            mark: RenderableType = self._spinner if current else Text("✓" if done else "·", "green" if done else "dim")
            shown = Text("" if seconds is None else f"{seconds:.1f} s")
            table.add_row(mark, Text(stage, "bold" if current else "" if done else "dim"), shown)
        bar = Table.grid(padding=(0, 2))
        bar.add_row(ProgressBar(total=100, completed=self._clock.progress, width=50), f"{self._clock.progress} %")
        return Group(table, bar)

    def _is_past(self, stage: str) -> bool:
        current = self._clock.stage
        return current == "done" or STAGES.index(stage) < STAGES.index(current)

"""What a benchmark found: medians and ratios as Markdown, and everything as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from stack.bench.machine import Machine, why_busy
from stack.bench.ways import Run

FORMAT = 1
"""Version of the JSON; grows when a reader of older files would misunderstand a newer one."""


@dataclass(frozen=True)
class Result:
    """One way with all its runs. The first result of a report is Millrace."""

    name: str
    title: str
    runs: Sequence[Run]

    @property
    def seconds(self) -> float:
        """Median of wall seconds."""
        return median(run.seconds for run in self.runs)

    @property
    def cpu_seconds(self) -> float:
        """Median of CPU-seconds."""
        return median(run.cpu_seconds for run in self.runs)

    @property
    def bytes(self) -> int:
        """Bytes of one run's output; they hardly differ."""
        return round(median(run.bytes for run in self.runs))


@dataclass(frozen=True)
class Report:
    """A benchmark.

    Attributes:
        made: when, in ISO 8601.
        revision: of the checkout.
        clip: its file name, length, size and rate.
        idle_taken: share of all processors that others had before the first run.
    """

    made: str
    revision: str
    machine: Machine
    clip: Mapping[str, Any]
    seed: int
    transcoders: int
    resolutions: Sequence[str]
    profile: str
    idle_taken: float
    results: Sequence[Result] = field(default_factory=tuple)

    @property
    def not_quotable(self) -> str | None:
        """Why nothing of it is to be quoted; None if it may be."""
        during = {f"during a run of {one.title}": max(run.taken for run in one.runs) for one in self.results}
        return why_busy({"before the first run": self.idle_taken, **during})

    def ratios(self) -> dict[str, dict[str, float]]:
        """Millrace ÷ each other way, by its name; nothing where the report is not to be quoted."""
        own, *others = self.results
        if self.not_quotable:
            return {}
        return {
            other.name: {"wall": own.seconds / other.seconds, "cpu": own.cpu_seconds / other.cpu_seconds}
            for other in others
        }

    def as_json(self) -> dict[str, Any]:
        """Everything, with each run."""
        why = self.not_quotable
        return {"format": FORMAT, "quotable": not why, "why_not": why, "ratios": self.ratios(), **asdict(self)}

    def markdown(self) -> Iterator[str]:
        """The report as lines."""
        clip = self.clip
        yield f"# Benchmark of {self.made.partition('T')[0]}"
        yield ""
        if why := self.not_quotable:
            yield f"**Not to be quoted**: {why}."
            yield ""
        many = "" if self.transcoders == 1 else "s"
        yield (
            f"{clip['name']}, {clip['seconds']:.0f} s of {clip['width']}×{clip['height']} at {clip['frame_rate']:g} frames "
            f"a second, to {', '.join(self.resolutions)}. Millrace {self.revision}, profile `{self.profile}`, "
            f"{self.transcoders} transcoder{many}."
        )
        load = ", ".join(f"{each:.2f}" for each in self.machine.load)
        yield (
            f"{self.machine.processors} processors ({self.machine.model}); load averages before it {load}. "
            f"Runs were made by turns (seed {self.seed}); figures are medians."
        )
        yield ""
        yield "| | runs | wall s | CPU s | times real time | bytes | Millrace ÷ it: wall | CPU | most that others took |"
        yield "|---|" + "---:|" * 8
        ratios = self.ratios()
        for one in self.results:
            ratio = ratios.get(one.name)
            shown = (f"{ratio['wall']:.2f}", f"{ratio['cpu']:.2f}") if ratio else ("", "")
            cells = (
                f"{len(one.runs)}",
                f"{one.seconds:.1f}",
                f"{one.cpu_seconds:.1f}",
                f"{clip['seconds'] / one.seconds:.2f}",
                f"{one.bytes:,}",
                *shown,
                f"{max(run.taken for run in one.runs):.1%}",
            )
            yield f"| {one.title} | {' | '.join(cells)} |"

"""What a run comes to, and the table of it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tests.chaos.judging import Fate, Verdict

_COLUMNS = ("hit", "jobs touched", "lost", "doubled")


@dataclass(frozen=True)
class Blow:
    """A fault as it happened.

    Attributes:
        name: of the fault; blows of one name are one row of the table.
        jobs: numbers of the orders that it is known to have touched; None where ``begin`` and ``end`` tell.
    """

    name: str
    begin: datetime
    end: datetime
    jobs: frozenset[int] | None = None


@dataclass
class Report:
    """A whole run.

    Attributes:
        findings: what is wrong with no single job.
    """

    fates: list[Fate] = field(default_factory=list)
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    blows: list[Blow] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        """All that is wrong, in sentences."""
        jobs = {fate.order.number: fate for fate in self.fates}
        of_jobs = [
            f"job {number} ({jobs[number].order.source}, {jobs[number].job}): {fault}"
            for number, verdict in sorted(self.verdicts.items())
            for fault in verdict.faults
        ]
        return of_jobs + self.findings

    @property
    def ends(self) -> dict[str, int]:
        """How many jobs ended how, by the last event's name or error code."""
        counted: dict[str, int] = {}
        for fate in self.fates:
            last = fate.events[-1] if fate.events else None
            end = getattr(last, "code", "") or (last.token().removeprefix("end.") if last else "nothing")
            counted[end] = counted.get(end, 0) + 1
        return dict(sorted(counted.items()))


def table(report: Report) -> str:
    """Fault × times hit × jobs touched × lost × doubled, one fault a line, and all of them together."""
    rows: dict[str, tuple[int, set[int]]] = {}
    for blow in report.blows:
        times, jobs = rows.get(blow.name, (0, set()))
        rows[blow.name] = times + 1, jobs | (_under_way(report.fates, blow) if blow.jobs is None else blow.jobs)
    total = sum(times for times, _ in rows.values()), {fate.order.number for fate in report.fates}
    width = max(map(len, (*rows, "all")))
    lines = [f"{'fault':<{width}}" + "".join(f"  {column:>{max(8, len(column))}}" for column in _COLUMNS)]
    for name, (times, jobs) in (*sorted(rows.items()), ("all", total)):
        counts = (times, len(jobs), _count(report.verdicts, jobs, "lost"), _count(report.verdicts, jobs, "doubled"))
        cells = zip(_COLUMNS, counts, strict=True)
        lines.append(f"{name:<{width}}" + "".join(f"  {count:>{max(8, len(column))}}" for column, count in cells))
    return "\n".join(lines)


def _under_way(fates: Iterable[Fate], blow: Blow) -> set[int]:
    """Orders whose job existed and had not ended while the blow lasted."""
    return {
        fate.order.number
        for fate in fates
        if fate.events and fate.events[0].at <= blow.end and fate.events[-1].at >= blow.begin
    }


def _count(verdicts: Mapping[int, Verdict], jobs: set[int], kind: str) -> int:
    return sum(bool(getattr(verdicts[number], kind)) for number in jobs if number in verdicts)

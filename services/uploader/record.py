"""What the log tells the uploader about a job. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.events import Completed, Fetched, PartTranscoded, PartUploaded, Recorded
from shared.media.plan import Plan
from shared.media.result import SegmentTable
from shared.media.stills import Still


@dataclass(frozen=True)
class JobRecord:
    """A job as far as its output is concerned.

    Attributes:
        results: tracks of each transcoded part, by its name.
        uploaded: for each uploaded part, the place in the log where that stands.
        stills: of all parts.
    """

    plan: Plan
    results: Mapping[str, tuple[SegmentTable, ...]]
    uploaded: Mapping[str, int]
    completed: bool = False
    stills: tuple[Still, ...] = ()

    def closed_by(self, part: str) -> bool:
        """Whether all parts are uploaded, and this one was the last.

        The one who uploaded the last part finishes the job, and only he: his message stays unsettled until that is done,
        so it is redelivered if he dies, and nobody else needs to try.
        """
        if any(name not in self.uploaded for name in self.plan.release_order):
            return False
        return self.uploaded[part] == max(self.uploaded.values())


def record_of(events: Iterable[Recorded]) -> JobRecord:
    """The record out of a job's events.

    Raises:
        ValueError: nothing is planned yet.
    """
    plan: Plan | None = None
    results: dict[str, tuple[SegmentTable, ...]] = {}
    uploaded: dict[str, int] = {}
    completed = False
    stills: list[Still] = []
    for recorded in events:
        match recorded.event:
            case Fetched(plan=found):
                plan = found
            case PartTranscoded(part=part, tracks=tracks):
                results[part] = tracks
                stills += recorded.event.stills
            case PartUploaded(part=part):
                uploaded[part] = recorded.sequence
            case Completed():
                completed = True
    if plan is None:
        raise ValueError("the log has no plan of this job")
    return JobRecord(plan, results, uploaded, completed, tuple(stills))

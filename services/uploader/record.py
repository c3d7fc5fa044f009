"""What the log tells the uploader about a job. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.encryption.protection import Protection
from shared.events import Completed, Fetched, PartTranscoded, PartUploaded, Recorded
from shared.media.plan import Plan


@dataclass(frozen=True)
class JobRecord:
    """A job as far as its output is concerned.

    Attributes:
        transcoded: the event of each transcoded part, by its name.
        uploaded: names of the parts that are in the bucket.
        protection: how the output is encrypted; None where it is not.
    """

    plan: Plan
    transcoded: Mapping[str, PartTranscoded]
    uploaded: frozenset[str]
    completed: bool = False
    protection: Protection | None = None


def record_of(events: Iterable[Recorded]) -> JobRecord:
    """The record out of a job's events.

    Raises:
        ValueError: nothing is planned yet.
    """
    plan: Plan | None = None
    protection: Protection | None = None
    transcoded: dict[str, PartTranscoded] = {}
    uploaded: set[str] = set()
    completed = False
    for recorded in events:
        match recorded.event:
            case Fetched() as event:
                plan, protection = event.plan, event.protection
            case PartTranscoded() as event:
                transcoded[event.part] = event
            case PartUploaded(part=part):
                uploaded.add(part)
            case Completed():
                completed = True
    if plan is None:
        raise ValueError("the log has no plan of this job")
    return JobRecord(plan, transcoded, frozenset(uploaded), completed, protection)

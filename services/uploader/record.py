"""What the log tells the uploader about a job. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.encryption.protection import Protection
from shared.events import (
    Completed,
    Created,
    Fetched,
    PartTranscoded,
    PartUploaded,
    Playable,
    PlaybackExtended,
    Recorded,
)
from shared.media.edge import Edge
from shared.media.plan import Plan


@dataclass(frozen=True)
class JobRecord:
    """A job as far as its output is concerned.

    Attributes:
        transcoded: the event of each transcoded part, by its name.
        uploaded: names of the parts that are in the bucket.
        protection: how the output is encrypted; None where it is not.
        playable: it was told that the output can be played, though it may not be complete. to_be_told: it has to be.
    """

    plan: Plan
    transcoded: Mapping[str, PartTranscoded]
    uploaded: frozenset[str]
    completed: bool = False
    protection: Protection | None = None
    playable: bool = False
    to_be_told: bool = False


def edge_of(events: Iterable[Recorded], plan: Plan) -> Edge:
    """How far early playback has got, out of all of a job's events: for where some do not tell."""
    edge = Edge()
    for recorded in events:
        match recorded.event:
            case PartUploaded() as event:
                edge = edge.with_part(plan.release_order.index(event.part))
                edge = edge.model_copy(update={"lister": event.edge.lister if event.edge else edge.lister})
            case (Playable() | PlaybackExtended()) as event if event.edge:
                edge = edge.model_copy(update={"listed": event.edge.listed, "lister": event.edge.lister})
    return edge


def record_of(events: Iterable[Recorded]) -> JobRecord:
    """The record out of a job's events.

    Raises:
        ValueError: nothing is planned yet.
    """
    plan: Plan | None = None
    protection: Protection | None = None
    transcoded: dict[str, PartTranscoded] = {}
    uploaded: set[str] = set()
    completed = playable = early = False
    for recorded in events:
        match recorded.event:
            case Created() as event:
                early = event.early_playback
            case Playable():
                playable = True
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
    return JobRecord(plan, transcoded, frozenset(uploaded), completed, protection, playable, early and not playable)

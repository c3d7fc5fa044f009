"""The facts of a job's life, as they stand in the log and as the world may read them.

Every event is past tense, frozen and versioned. None of them carries a secret: addresses are masked before they get
here, and credentials travel sealed and apart (see :mod:`shared.bus.secrets`). A reader ignores members that it does not
know; a change that would mislead such a reader gets a new version number.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.ids import JobId, OrgCode, PartName
from shared.media.plan import Plan
from shared.media.result import Outputs, SegmentTable
from shared.media.source import Source
from shared.media.stills import Still

Priority = Literal["low", "normal", "high"]


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)


class JobWarning(BaseModel):
    """Something that the customer should know about a job that goes on all the same."""

    model_config = ConfigDict(frozen=True)
    code: str
    message: str


class Event(BaseModel):
    """What all events have."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    subject: ClassVar[str]
    v: Literal[1] = 1
    org: OrgCode
    job: JobId
    at: datetime = Field(default_factory=now)

    def token(self) -> str:
        """The end of the event's subject, below ``jobs.<org>.<job>.``; the same event is said once for each."""
        part: str | None = getattr(self, "part", None)
        return f"{self.subject}.{part}" if part else self.subject


@dataclass(frozen=True)
class Recorded:
    """An event with its place in the stream."""

    sequence: int
    event: Event


class Created(Event):
    """The api accepted a job. ProbedAudio by the api's projector and the notifier.

    ``client_metadata`` is the JSON text exactly as the client wrote it.
    """

    subject = "created"
    type: Literal["created"] = "created"
    input_url: str
    output_path: str
    resolutions: tuple[str, ...]
    enable_drm: bool = False
    client_metadata: str | None = None
    priority: Priority = "normal"
    profile: str = "balanced"


class Admitted(Event):
    """The api's admission let the job begin. ProbedAudio by the fetcher."""

    subject = "admitted"
    type: Literal["admitted"] = "admitted"


class Started(Event):
    """A fetcher took the job up: its status is now transcoding. ProbedAudio by the projector and the notifier."""

    subject = "started"
    type: Literal["started"] = "started"


class Fetched(Event):
    """The source lies in the work space, was probed, and the encode is planned.

    Said by the fetcher, read by transcoder and uploader.
    """

    subject = "fetched"
    type: Literal["fetched"] = "fetched"
    source: Source
    plan: Plan
    warnings: tuple[JobWarning, ...] = ()


class PartRequested(Event):
    """A part may be encoded. Said by the fetcher for the first window, then by the transcoder. ProbedAudio by the transcoder."""

    subject = "part_requested"
    type: Literal["part_requested"] = "part_requested"
    part: PartName


class PartTranscoded(Event):
    """A part's files lie in the work space. Said by the transcoder, heard by the uploader.

    ``seconds`` is the wall time of the encode, ``encoder`` what did it (``libx264``, ``h264_nvenc``, ``aac``, ``webvtt``);
    ``tracks`` is empty where a track of text could not be read, which the job does without; ``stills`` are what was taken
    out of the same decode.
    """

    subject = "part_transcoded"
    type: Literal["part_transcoded"] = "part_transcoded"
    part: PartName
    tracks: tuple[SegmentTable, ...]
    encoder: str
    seconds: float
    warnings: tuple[JobWarning, ...] = ()
    stills: tuple[Still, ...] = ()


class PartUploaded(Event):
    """A part's segments are in the customer's bucket. Said by the uploader."""

    subject = "part_uploaded"
    type: Literal["part_uploaded"] = "part_uploaded"
    part: PartName
    objects: int
    bytes: int


class Completed(Event):
    """Every object that the master playlist leads to can be read from the bucket. Said by the uploader. An end."""

    subject = "end.completed"
    type: Literal["completed"] = "completed"
    outputs: Outputs
    warnings: tuple[JobWarning, ...] = ()


class Failed(Event):
    """The job cannot be done. Said by whichever worker found out. An end.

    ``code`` is a row of docs/errors.md, ``message`` the sentence for the customer, ``detail`` what exactly happened.
    """

    subject = "end.failed"
    type: Literal["failed"] = "failed"
    code: str
    message: str
    detail: str = ""
    service: str = ""


class Cancelled(Event):
    """The customer cancelled the job. Said by the api. An end."""

    subject = "end.cancelled"
    type: Literal["cancelled"] = "cancelled"


AnyEvent = Annotated[
    Created
    | Admitted
    | Started
    | Fetched
    | PartRequested
    | PartTranscoded
    | PartUploaded
    | Completed
    | Failed
    | Cancelled,
    Field(discriminator="type"),
]
EVENT_TYPES: tuple[type[Event], ...] = (
    Created,
    Admitted,
    Started,
    Fetched,
    PartRequested,
    PartTranscoded,
    PartUploaded,
    Completed,
    Failed,
    Cancelled,
)
ENDS = ("completed", "failed", "cancelled")

"""The facts of a job's life, as they stand in the log and as the world may read them.

Every event is past tense, frozen and versioned. None of them carries a secret: addresses are masked before they get
here, and credentials travel sealed and apart (see :mod:`shared.bus.vault`). A reader ignores members that it does not
know; a change that would mislead such a reader gets a new version number.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shared.attempt import Attempt
from shared.encryption.protection import Hex128, Protection
from shared.encryption.request import EncryptionRequest
from shared.ids import JobId, OrgCode, PartName
from shared.media.edge import Edge
from shared.media.plan import Plan
from shared.media.result import JobWarning, Layout, Outputs, PartRecord, RenditionTotals
from shared.media.source import Source

Priority = Literal["low", "normal", "high"]
Weight = Annotated[float, Field(gt=0)]


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)


class Event(BaseModel):
    """What all events have."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    subject: ClassVar[str]
    versions: ClassVar[tuple[int, ...]] = (1,)
    v: int = 1
    org: OrgCode
    job: JobId
    at: datetime = Field(default_factory=now)

    @field_validator("v")
    @classmethod
    def _is_understood(cls, value: int) -> int:
        if value not in cls.versions:
            raise ValueError(f"version {value} of {cls.subject} is not known here")
        return value

    def token(self) -> str:
        """The end of the event's subject, below ``jobs.<org>.<job>.``; the same event is published once for each."""
        part: str | None = getattr(self, "part", None)
        return f"{self.subject}.{part}" if part else self.subject


class Result(Event):
    """What work taken from the bus has come to. ``attempt`` says by whom, when and after what; None in events of before."""

    attempt: Attempt | None = None


@dataclass(frozen=True)
class Recorded:
    """An event with its place in the stream."""

    sequence: int
    event: Event


class Created(Event):
    """The api accepted a job. Consumed by the api's projector and the notifier.

    ``client_metadata`` is the JSON text exactly as the client wrote it; ``retry_of`` is the ended job that this one runs again,
    None for all others and in events of before. ``drm_content_id`` (hex) is what key services know the content by, and
    ``encryption`` what is asked for; both are None where the output is not encrypted. ``enable_drm`` is true for ``cbcs`` alone.
    ``keys_from`` is, of a retry, the provider whose keys its job's output was encrypted with, if it got that far.
    ``early_playback`` says that the output is to be playable before it is complete.
    """

    subject = "created"
    type: Literal["created"] = "created"
    input_url: str
    output_path: str
    resolutions: tuple[str, ...]
    enable_drm: bool = False
    drm_content_id: Hex128 | None = None
    encryption: EncryptionRequest | None = None
    client_metadata: str | None = None
    priority: Priority = "normal"
    profile: str = "balanced"
    retry_of: JobId | None = None
    keys_from: str | None = None
    early_playback: bool = False


class Admitted(Event):
    """The api's admission let the job begin. Consumed by the fetcher.

    ``weight`` is its organization's: with twice the weight an organization gets twice the share. 1 in events of before.
    """

    subject = "admitted"
    type: Literal["admitted"] = "admitted"
    weight: Weight = 1.0


class Started(Result):
    """A fetcher took the job up: its status is now transcoding. Consumed by the projector and the notifier."""

    subject = "started"
    type: Literal["started"] = "started"


class Fetched(Result):
    """The source lies in the work space, was probed, and the encode is planned.

    Published by the fetcher, read by transcoder and uploader. ``recipe`` is what all parts are made by: SHA-256 (hex) of the
    content of the source, as far as its server tells it from others, and of the plan. Where two jobs have the same one, so are
    their parts. Empty where the server tells nothing, and in events of before. ``protection`` says how the output is encrypted,
    without the keys; None where it is not. Version 2 has it: a reader of before, which would publish such an output in the
    clear, takes no notice of the event.
    """

    subject = "fetched"
    versions = (1, 2)
    type: Literal["fetched"] = "fetched"
    source: Source
    plan: Plan
    warnings: tuple[JobWarning, ...] = ()
    recipe: str = ""
    protection: Protection | None = None

    def encrypted(self, protection: Protection) -> "Fetched":
        """The same of a job whose output is encrypted so."""
        return self.model_copy(update={"v": 2, "protection": protection})

    @property
    def layout(self) -> Layout:
        """What the parts' segments are laid out for."""
        return self.protection.layout if self.protection else "clear"


class PartRequested(Event):
    """A part may be encoded. Published by the fetcher for the first window, then by the uploader; consumed by the transcoder.

    ``work`` is how much of the encode the part is, in output frames (see :meth:`shared.media.plan.Plan.work_of`), and ``left``
    how much of it was not requested yet, this part included. ``priority`` is the job's. What has both is requested in the
    release order without a gap, and overtakes and is overtaken by what the transcoders have to do for the same
    organization (:mod:`shared.bus.urgency`). Events of earlier versions lack them: None. ``weight`` is the organization's, as
    the job was admitted; 1 in events of before.
    """

    subject = "part_requested"
    type: Literal["part_requested"] = "part_requested"
    part: PartName
    work: float | None = None
    left: float | None = None
    priority: Priority | None = None
    weight: Weight = 1.0

    @classmethod
    def planned(cls, created: Created, plan: Plan, part: str, *, weight: float = 1.0) -> "PartRequested":
        """The request of a part of a job's plan, with its organization's weight."""
        return cls(
            org=created.org,
            job=created.job,
            part=part,
            work=plan.work_of(part),
            left=plan.work_from(part),
            priority=created.priority,
            weight=weight,
        )


class PartTranscoded(Result):
    """A part's files lie in the work space. Published by the transcoder, consumed by the uploader.

    Bounded, however long the part is: the tables of its segments stand in its record in the work space, whose SHA-256 (hex)
    is ``digest``. ``seconds`` is the wall time of the encode, ``encoder`` what did it (``libx264``, ``h264_nvenc``, ``aac``,
    ``webvtt``); ``renditions`` is empty where a track of text could not be read, which the job does without. ``inherited`` says
    that an earlier job has made the part, and spent the time; false in events of before. ``weight`` is that of the request.
    Events of version 1 carry the record in themselves: ``inline``.
    """

    subject = "part_transcoded"
    versions = (1, 2)
    type: Literal["part_transcoded"] = "part_transcoded"
    v: int = 2
    part: PartName
    renditions: tuple[RenditionTotals, ...]
    digest: str
    encoder: str
    seconds: float
    warnings: tuple[JobWarning, ...] = ()
    inherited: bool = False
    weight: Weight = 1.0
    inline: PartRecord | None = Field(None, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _from_version_1(cls, given: Any) -> Any:
        if not (isinstance(given, dict) and given.get("v", 2) == 1):
            return given
        record = PartRecord.model_validate(given)
        return given | {"inline": record, "renditions": record.totals, "digest": ""}


class PartUploaded(Result):
    """A part's segments are in the customer's bucket. Published by the uploader, which then requests further ones.

    ``uploaded`` is the number of the job's uploaded parts, this one included: from it follows how many may be requested, and
    whoever uploads the last one finishes the job. None in events of version 0.1. ``edge`` tells of a job with early playback how
    far it has got, and who has to write its next playlists; None of all others.
    """

    subject = "part_uploaded"
    type: Literal["part_uploaded"] = "part_uploaded"
    part: PartName
    objects: int
    bytes: int
    uploaded: int | None = None
    edge: Edge | None = None


class Playable(Result):
    """A job with early playback can be played as far as it is made. Published once, by the uploader; heard by the notifier.

    From now on the multivariant playlist leads to playlists of type ``EVENT`` that grow, until they are complete. ``master`` is
    its place (``s3://bucket/key``), and ``segments`` how many segments each rendition has. ``edge`` is as in
    ``part_uploaded``; None where the job was complete before.
    """

    subject = "playable"
    type: Literal["playable"] = "playable"
    master: str
    segments: int
    edge: Edge | None = None


class PlaybackExtended(Result):
    """The playlists of a job with early playback list so many segments of each rendition now. Published by the uploader.

    ``edge`` is as in ``part_uploaded``.
    """

    subject = "playback_extended"
    type: Literal["playback_extended"] = "playback_extended"
    segments: int
    edge: Edge

    def token(self) -> str:
        """The end of the event's subject: it is published once for each length."""
        return f"{self.subject}.{self.segments}"


class Completed(Result):
    """Every object that the multivariant playlist leads to can be read from the bucket. Published by the uploader. An end."""

    subject = "end.completed"
    type: Literal["completed"] = "completed"
    outputs: Outputs
    warnings: tuple[JobWarning, ...] = ()


class Failed(Event):
    """The job cannot be done. Published by whichever worker found out. An end.

    ``code`` is a row of docs/errors.md, ``message`` the sentence for the customer, ``detail`` what exactly happened.
    """

    subject = "end.failed"
    type: Literal["failed"] = "failed"
    code: str
    message: str
    detail: str = ""
    service: str = ""


class Cancelled(Event):
    """The customer cancelled the job. Published by the api. An end."""

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
    | Playable
    | PlaybackExtended
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
    Playable,
    PlaybackExtended,
    Completed,
    Failed,
    Cancelled,
)
ENDS = ("completed", "failed", "cancelled")

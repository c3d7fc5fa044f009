"""What the server answers, as frozen models. Members that this version does not know are ignored, and can be read in ``raw``."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SkipValidation,
    ValidationError,
)

from millrace_client import json_text
from millrace_client.errors import JobFailed, UnexpectedAnswer


class Status(StrEnum):
    """Status of a job, however the server spells it."""

    QUEUED = "queued"
    TRANSCODING = "transcoding"
    COMPLETED = "completed"
    ERROR = "error"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """One that only newer servers know; it stands in ``raw``."""


_FINISHED = (Status.COMPLETED, Status.ERROR, Status.CANCELLED)


def _status(value: Any) -> Any:
    known = value.lower() if isinstance(value, str) else value
    return known if not isinstance(known, str) or known in set(Status) else Status.UNKNOWN


AnyStatus = Annotated[Status, BeforeValidator(_status)]


def _told(value: Any) -> Any:
    return value if value == "playable" else _status(value)


AnyTold = Annotated[Status | Literal["playable"], BeforeValidator(_told)]
"""What webhooks are told of: a status, or that a job with early playback can be played."""


class Model(BaseModel):
    """What all models have."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Resource(Model):
    """What was answered as a whole."""

    _text: str = PrivateAttr("")

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From the text of an answer.

        Raises:
            UnexpectedAnswer: it is something else.
        """
        try:
            made = cls.model_validate(json_text.parse(text))
        except ValidationError as error:
            wrong = ", ".join(
                ".".join(map(str, item["loc"])) or "all of it" for item in error.errors(include_url=False)
            )
            raise UnexpectedAnswer(f"The answer is no {cls.__name__} of Millrace: see {wrong}.") from error
        except ValueError as error:
            raise UnexpectedAnswer(
                f"The answer is no JSON: {error}. Does the API's address lead to Millrace?"
            ) from error
        made._text = text
        return made

    @property
    def text(self) -> str:
        """The JSON as it came."""
        return self._text

    @property
    def raw(self) -> dict[str, Any]:
        """What came, with its own spelling and all of its members."""
        found: dict[str, Any] = json_text.parse(self._text) if self._text else self.model_dump(mode="json")
        return found


class JobWarning(Model):
    """Something to know about a job that goes on all the same."""

    code: str
    message: str


class Waiting(Model):
    """What a job waits for; it goes on by itself. ``until``: when that is given up, and the job ends with ``code``."""

    code: str
    message: str
    service: str = ""
    since: datetime | None = None
    until: datetime | None = None


class Rendition(Model):
    """A rendition of the video. Rates are bits per second; ``playlist`` is an ``s3://`` location."""

    resolution: str
    width: int
    height: int
    frame_rate: float
    average_bitrate: int
    peak_bitrate: int
    codecs: str
    bytes: int
    playlist: str


class AudioRendition(Model):
    """An audio rendition. Rates are bits per second."""

    name: str
    language: str | None = None
    codecs: str
    average_bitrate: int
    peak_bitrate: int
    bytes: int
    playlist: str


class SubtitleRendition(Model):
    """A rendition of subtitles."""

    name: str
    language: str | None = None
    forced: bool = False
    bytes: int
    playlist: str


class Sprite(Model):
    """The pictures for the seek bar: one sheet, and WebVTT that says which piece of it belongs to which time."""

    image: str
    vtt: str


class Outputs(Model):
    """Where a completed job's output is, as ``s3://`` locations: ``master`` for HLS, ``dash`` for DASH.

    ``dash`` is None where the output is encrypted as DASH players do not know it.
    ``compliance`` is the result of the check as it came; see the documentation of the API.
    """

    master: str
    dash: str | None = None
    renditions: tuple[Rendition, ...] = ()
    audio: tuple[AudioRendition, ...] = ()
    subtitles: tuple[SubtitleRendition, ...] = ()
    thumbnails: tuple[str, ...] = ()
    sprite: Sprite | None = None
    bytes: int = 0
    segments: int = 0
    compliance: dict[str, Any] | None = None


class Job(Resource):
    """A job. Secrets in addresses are masked. Where some members alone were asked for, the others have their defaults.

    Attributes:
        status: the same wherever it comes from; ``raw["status"]`` is as the server spells it there.
        video_duration: whole seconds; None until known.
        progress: percent; never falls.
        stage: ``queued``, ``fetching``, ``transcoding``, ``uploading`` or ``done``.
        client_metadata: what it means; :attr:`client_metadata_text` is the text exactly as it was sent.
        timings: seconds spent in each stage that has ended, by its name.
        outputs: None until the job is completed.
        playable_at: since when a job with early playback can be played as far as it is made.
        retry_of, retried_by: ids of the job that this one runs again, and of the newest that runs this one again.
        queue_position: place among the organization's waiting jobs, counted from 1; None if it does not wait.
    """

    id: str
    status: AnyStatus
    resolutions: tuple[str, ...] = ()
    input_url: str = ""
    output_path: str = ""
    created: datetime | None = None
    video_duration: int | None = None
    enable_drm: bool = False
    drm_content_id: str | None = None
    encryption: str = "none"
    early_playback: bool = False
    playable_at: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    error_message: str | None = None
    error_code: str | None = None
    error_detail: str | None = None
    client_metadata: Annotated[dict[str, Any] | None, SkipValidation] = None
    progress: int = 0
    stage: str = ""
    waiting: Waiting | None = None
    warnings: tuple[JobWarning, ...] = ()
    outputs: Outputs | None = None
    timings: dict[str, float | None] = Field(default_factory=dict)
    priority: str = "normal"
    profile: str = ""
    retry_of: str | None = None
    retried_by: str | None = None
    queue_position: int | None = None

    @property
    def finished(self) -> bool:
        """Whether it has ended, well or not."""
        return self.status in _FINISHED or (self.status is Status.UNKNOWN and self.end_time is not None)

    @property
    def client_metadata_text(self) -> str | None:
        """``client_metadata`` as it was written when the job was created: order, number spelling and repeated members included.

        Of a followed job, whose stream consists of lines, line breaks within may have become others.
        """
        text = json_text.members(self._text).get("client_metadata", "null") if self._text else "null"
        return None if text == "null" else text

    def raise_if_failed(self) -> Self:
        """The job itself, so that calls can be chained.

        Raises:
            JobFailed: it has ended without success.
        """
        if self.finished and self.status is not Status.COMPLETED:
            raise JobFailed(self)
        return self


R = TypeVar("R", bound=Resource)


class Page(Model, Generic[R]):
    """One page of a list. ``count``: how many there are on all pages. ``more``: whether a page follows."""

    count: int
    more: bool
    results: tuple[R, ...]


class Counts(Resource):
    """How many jobs there are: ``count`` of every status, ``by_status`` of each, in lower case."""

    count: int
    by_status: dict[str, int]


class EndedJobs(Model):
    """How many jobs have ended, by how."""

    completed: int
    error: int
    cancelled: int


class Amounts(Model):
    """What jobs have taken.

    Attributes:
        source_minutes: of the films that were fetched. rendition_minutes: of video that was made, each rendition counted.
        encode_seconds: how long encoders have worked, by the clock.
        bytes_in: of the sources. bytes_out: of the segments that were uploaded.
    """

    jobs: EndedJobs
    source_minutes: float
    rendition_minutes: float
    encode_seconds: float
    bytes_in: int
    bytes_out: int


class PeriodAmounts(Amounts):
    """What the jobs have taken that ended in a period: a day such as ``2026-01-31`` or a month such as ``2026-01``, in UTC."""

    period: str


class Usage(Resource):
    """What the organization's jobs have taken. ``by``: day or month; ``results``: one for each period, oldest first."""

    by: str
    total: Amounts
    results: tuple[PeriodAmounts, ...]


class StageSpan(Model):
    """When a job was in a stage. ``ended`` is None while it lasts."""

    stage: str
    began: datetime
    ended: datetime | None = None


class Attempt(Model):
    """The attempt that came to a result.

    Attributes:
        attempt: counts from 1. failures: how many attempts before it failed, by error code.
        put_off: how many times the work was handed back unharmed.
        encoder, speed: of an encode; ``speed`` is seconds of the film in a second.
        objects, bytes: of an upload.
    """

    ended: datetime
    began: datetime | None = None
    worker: str | None = None
    attempt: int | None = None
    put_off: int | None = None
    failures: dict[str, int] = Field(default_factory=dict)
    encoder: str | None = None
    speed: float | None = None
    objects: int | None = None
    bytes: int | None = None


class TimelinePart(Model):
    """A part of a job. ``begin`` and ``duration`` are seconds of the film; what is not done yet is None."""

    part: str
    kind: str | None = None
    begin: float | None = None
    duration: float | None = None
    requested: datetime | None = None
    encode: Attempt | None = None
    upload: Attempt | None = None


class Timeline(Resource):
    """What has happened to a job, with its parts in the order in which they are requested.

    Attributes:
        count: of all parts.
    """

    count: int = 0
    next: str | None = Field(None, exclude=True, repr=False)
    stages: tuple[StageSpan, ...] = ()
    fetch: Attempt | None = None
    finish: Attempt | None = None
    waiting: tuple[Waiting, ...] = ()
    parts: tuple[TimelinePart, ...] = Field(validation_alias=AliasChoices("results", "parts"))

    @property
    def more(self) -> bool:
        """Whether there are further parts on a next page."""
        return self.next is not None


class Token(Resource):
    """A token as login answers it, this once."""

    token: str = Field(repr=False)
    expiry: datetime


class LiveToken(Resource):
    """A live token, without the token itself. ``current``: whether this client uses it."""

    id: str
    name: str = ""
    username: str | None = None
    role: str | None = None
    created: datetime
    expiry: datetime
    current: bool = False


class Playback(Resource):
    """Addresses that a player takes as they are, until ``expires_at``; for ever where that is None.

    Attributes:
        hls: the multivariant playlist. dash: the manifest, if there is one.
        sprite: WebVTT with the pictures of the seek bar, if there are such.
    """

    hls: str = Field(repr=False)
    dash: str | None = Field(None, repr=False)
    sprite: str | None = Field(None, repr=False)
    expires_at: datetime | None = None


class Webhook(Resource):
    """An address that is told of every change of a job's status. ``secret_token`` is what :func:`verify` needs."""

    id: str
    url: str
    secret_token: str = Field(repr=False)


class RotatedWebhook(Webhook):
    """A webhook with its new secret. That of before signs beside it until ``previous_secret_expires_at``, if there is a time."""

    previous_secret_expires_at: datetime | None = None


class Delivery(Resource):
    """An attempt to tell a webhook. ``message_id`` is the same on every attempt of one message; ``test``: of a sample job."""

    id: int
    job: str
    status: AnyTold
    attempt: int
    at: datetime
    outcome: str
    response_status: int | None = None
    error: str | None = None
    duration_ms: int = 0
    next_attempt_at: datetime | None = None
    message_id: str
    test: bool = False


class ResponseHeader(Model):
    """A header of a receiver's answer."""

    name: str
    value: str


class ResponseHead(Model):
    """The beginning of a receiver's answer, with what looks like a secret masked. ``truncated``: there was more of it."""

    headers: tuple[ResponseHeader, ...] = ()
    body: str = ""
    truncated: bool = False


class DeliveryDetail(Delivery):
    """An attempt with what was sent and what was answered; None where that was not kept."""

    request_body: str | None = None
    response: ResponseHead | None = None


class Message(Resource):
    """What was done, in a sentence."""

    message: str


class Redelivery(Message):
    """A delivery was put in line to be sent, as ``message_id``."""

    message_id: str


class BusUser(Resource):
    """A user of NATS that follows the organization's jobs.

    Attributes:
        username: what it logs in with. inbox_prefix: what its client has to be given as the prefix of inboxes.
        subjects: what it may subscribe to. replay_subject: where it asks for events of the past.
    """

    id: str
    name: str = ""
    username: str
    inbox_prefix: str
    subjects: tuple[str, ...] = ()
    replay_subject: str = ""
    created: datetime
    rotated: datetime | None = None


class NewBusUser(BusUser):
    """A bus user with its password, which is shown this once."""

    password: str = Field(repr=False)

"""What the api answers of a job's timeline, as models for the OpenAPI document."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from services.api.contract.responses import Page, Response, Waiting


class StageSpan(Response):
    """When a job was in a stage."""

    stage: Literal["queued", "fetching", "transcoding", "uploading"]
    began: datetime
    ended: datetime | None = Field(description="null while it lasts")


class Waited(Response):
    """An outage that was waited for."""

    code: str = Field(examples=["output_unreachable"])
    since: datetime = Field(description="When the work failed for it first")
    last: datetime = Field(description="When it failed for it most recently")


class AttemptShown(Response):
    """The attempt that came to a result; null throughout where the service was older than this."""

    ended: datetime
    began: datetime | None
    worker: str | None = Field(description="Tells the workers of a service apart", examples=["1f0c9ab2"])
    attempt: int | None = Field(description="Counts from 1: those before it failed", examples=[1])
    put_off: int | None = Field(
        description="How many times the work was handed back unharmed: for another organization's turn, for an outage, or by a "
        "worker that stopped"
    )
    failures: dict[str, int] = Field(description="How many attempts failed, by error code", examples=[{}])
    waited: list[Waited] = Field(description="The outages that it waited for and whose ends it saw")


class EncodeShown(AttemptShown):
    """How a part was encoded."""

    encoder: str = Field(examples=["libx264"])
    seconds: float = Field(description="Wall time of the encode itself")
    speed: float | None = Field(description="Seconds of the film encoded in a second", examples=[3.4])


class UploadShown(AttemptShown):
    """How a part was uploaded."""

    objects: int
    bytes: int


class TimelinePart(Response):
    """A part of a job, and how far it has come."""

    part: str = Field(examples=["v0003"])
    kind: Literal["video", "audio", "text"] | None
    begin: float | None = Field(description="Where in the film it begins, in seconds")
    duration: float | None = Field(description="Seconds of the film")
    requested: datetime | None = Field(description="When it could be encoded; it waits for a slot from here on")
    encode: EncodeShown | None = Field(description="null until it is encoded")
    upload: UploadShown | None = Field(description="null until it is uploaded")


class WorkWaiting(Waiting):
    """A piece of work that waits for an outage to end."""

    work: str = Field(description="The event that the work follows from", examples=["part_requested.v0003"])


class TimelinePage(Page[TimelinePart]):
    """What has happened to a job, with a page of its parts in the order in which they are requested."""

    stages: list[StageSpan] = Field(description="Those that have begun")
    fetch: AttemptShown | None = Field(description="The fetch; null until it is done")
    finish: AttemptShown | None = Field(description="The writing of the playlists; null until the job is completed")
    waiting: list[WorkWaiting] = Field(description="What work of the job waits for at present")

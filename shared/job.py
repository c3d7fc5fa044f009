"""The fold from events to a job: the one place that says what a job's state is.

The api's projector and the notifier both use it, so what a webhook says is what GET says.
"""

from datetime import datetime
from typing import Any, Literal, assert_never, cast

from pydantic import BaseModel, ConfigDict, model_validator

from shared import events as ev
from shared.encryption.request import EncryptionRequest
from shared.ids import JobId, OrgCode
from shared.locations import mask
from shared.media.layout import kind_of
from shared.media.result import JobWarning, Outputs, RenditionTotals

Status = Literal["queued", "transcoding", "completed", "error", "cancelled"]
Stage = Literal["queued", "fetching", "transcoding", "uploading", "done"]
FINISHED: frozenset[str] = frozenset({"completed", "error", "cancelled"})

STATUS_AFTER: dict[type[ev.Event], Status] = {
    ev.Created: "queued",
    ev.Started: "transcoding",
    ev.Completed: "completed",
    ev.Failed: "error",
    ev.Cancelled: "cancelled",
}
"""The events that change a job's status, and to what."""

Told = Status | Literal["playable"]
"""What webhooks are told of: a new status, or that a job can be played as far as it is made."""

TOLD_AFTER: dict[type[ev.Event], Told] = {**STATUS_AFTER, ev.Playable: "playable"}
"""The events that webhooks are told of, and as what."""

# How much of the bar each stage fills, in percent; encoding is the bulk of the work.
FETCH_SHARE, ENCODE_SHARE, UPLOAD_SHARE = 10.0, 80.0, 9.0


class Job(BaseModel):
    """The state of one job after some prefix of its events.

    ``work`` is the whole encode in output frames, ``work_done`` that of the parts that are transcoded, ``under_way`` that of
    each part that is requested and not transcoded yet: as many as the job's window, however long the film is.
    ``rendition_seconds`` is what was made of video, each rendition counted, ``encode_seconds`` the wall time that encoding all
    parts took, ``output_bytes`` what was uploaded of them; parts that a retry has inherited count where they were made.
    ``playable_at`` is when a job with ``early_playback`` could be played first.
    ``keys_from`` is the provider whose keys the output is encrypted with, once that is known.
    ``*_at`` are the instants at which the stages ended, for the timings.
    """

    model_config = ConfigDict(frozen=True)

    id: JobId
    org: OrgCode
    created: datetime
    input_url: str
    output_path: str
    resolutions: tuple[str, ...]
    enable_drm: bool = False
    drm_content_id: str | None = None
    encryption: EncryptionRequest | None = None
    client_metadata: str | None = None
    priority: ev.Priority = "normal"
    profile: str = "balanced"
    retry_of: str | None = None
    keys_from: str | None = None
    early_playback: bool = False
    playable_at: datetime | None = None
    status: Status = "queued"
    admitted: bool = False
    start_time: datetime | None = None
    fetched_at: datetime | None = None
    encoded_at: datetime | None = None
    end_time: datetime | None = None
    video_duration: float | None = None
    source_bytes: int | None = None
    parts: int = 0
    parts_transcoded: int = 0
    parts_uploaded: int = 0
    work: float = 0
    work_done: float = 0
    under_way: dict[str, float] = {}
    rendition_seconds: float = 0
    encode_seconds: float = 0
    output_bytes: int = 0
    error_code: str | None = None
    error_message: str | None = None
    error_detail: str | None = None
    warnings: tuple[JobWarning, ...] = ()
    outputs: Outputs | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_version_0_1(cls, given: Any) -> Any:
        """A state that version 0.1 stored: the share of every part, and of those not transcoded yet; shares sum to 1."""
        if not (isinstance(given, dict) and "part_weights" in given):
            return given
        left = given.get("encoding", {})
        work = 1.0 if given["part_weights"] else 0.0
        return given | {"work": work, "work_done": max(0.0, work - sum(left.values())), "under_way": left}

    @property
    def finished(self) -> bool:
        """No event can follow."""
        return self.status in FINISHED

    @property
    def stage(self) -> Stage:
        """What is being done now."""
        if self.finished:
            return "done"
        if self.start_time is None:
            return "queued"
        if self.fetched_at is None:
            return "fetching"
        return "uploading" if self.encoded_at else "transcoding"

    @property
    def timings(self) -> dict[str, float | None]:
        """Seconds spent in each stage that has ended."""
        marks = [
            self.created,
            self.start_time,
            self.fetched_at,
            self.encoded_at,
            self.end_time if self.status == "completed" else None,
        ]
        names = ("queued", "fetching", "transcoding", "uploading")
        return {
            name: round((end - begin).total_seconds(), 3) if begin and end else None
            for name, begin, end in zip(names, marks[:-1], marks[1:], strict=True)
        }

    def progress(self, live: dict[str, float] | None = None) -> int:
        """Percent done, 0 to 100; 100 only for a completed job.

        Args:
            live: fraction done of what is under way, by part name; ``fetch`` for the download.
        """
        live = live or {}
        if self.status == "completed":
            return 100
        if self.start_time is None:
            return 0
        if self.fetched_at is None:
            return int(FETCH_SHARE * min(live.get("fetch", 0.0), 1.0))
        encoded = 1.0 if self.encoded_at else self._encoded(live)
        uploaded = self.parts_uploaded / self.parts if self.parts else 0.0
        return min(int(FETCH_SHARE + ENCODE_SHARE * encoded + UPLOAD_SHARE * uploaded + 1e-9), 99)

    def _encoded(self, live: dict[str, float]) -> float:
        """Fraction of the encode that is done, counting what is under way."""
        done = sum(work * min(live.get(part, 0.0), 1.0) for part, work in self.under_way.items())
        return min((self.work_done + done) / self.work, 1.0) if self.work else 0.0


def apply(job: Job | None, event: ev.Event) -> Job:
    """The job after one more event.

    Events come in the log's order and each of them once, as the log has them. One after an end changes nothing.

    Raises:
        ValueError: the first event is not ``created``.
    """
    if isinstance(event, ev.Created):
        return job or _created(event)
    if job is None:
        raise ValueError(f"{event.token()} before created for job {event.job}")
    if job.finished:
        return job
    return job.model_copy(update=_change(job, cast(ev.AnyEvent, event)))


def _created(event: ev.Created) -> Job:
    return Job(
        id=event.job,
        org=event.org,
        created=event.at,
        # Masked already by who said it; masked again, because this is what every surface shows.
        input_url=mask(event.input_url),
        output_path=mask(event.output_path),
        resolutions=event.resolutions,
        enable_drm=event.enable_drm,
        drm_content_id=event.drm_content_id,
        encryption=event.encryption,
        client_metadata=event.client_metadata,
        priority=event.priority,
        profile=event.profile,
        retry_of=event.retry_of,
        keys_from=event.keys_from,
        early_playback=event.early_playback,
    )


def _change(job: Job, event: ev.AnyEvent) -> dict[str, Any]:
    match event:
        case ev.Admitted():
            return {"admitted": True}
        case ev.Started():
            return {"status": STATUS_AFTER[ev.Started], "start_time": event.at}
        case ev.Fetched():
            return _fetched(job, event)
        case ev.PartRequested():
            # A part that an older state counts already stays as it is.
            return {"under_way": {event.part: _work_of(job, event)} | job.under_way}
        case ev.PartTranscoded():
            return _transcoded(job, event)
        case ev.PartUploaded():
            return {"parts_uploaded": job.parts_uploaded + 1, "output_bytes": job.output_bytes + event.bytes}
        case ev.Playable():
            return {"playable_at": event.at}
        case ev.Completed():
            return {
                "status": STATUS_AFTER[ev.Completed],
                "end_time": event.at,
                "outputs": event.outputs,
                "warnings": _merged(job, event.warnings),
                # What led to 100 percent is of no use any more.
                "work": 0.0,
                "work_done": 0.0,
            }
        case ev.Failed():
            error = {"error_code": event.code, "error_message": event.message, "error_detail": event.detail}
            return {"status": STATUS_AFTER[ev.Failed], "end_time": event.at, **error}
        case ev.Cancelled():
            return {"status": STATUS_AFTER[ev.Cancelled], "end_time": event.at}
        case ev.Created() | ev.PlaybackExtended():
            return {}
        case _:
            # A kind of event that is missing above is an error of types; at run time readers leave out what they do not know.
            assert_never(event)


def _fetched(job: Job, event: ev.Fetched) -> dict[str, Any]:
    return {
        "keys_from": (event.protection and event.protection.provider) or job.keys_from,
        "fetched_at": event.at,
        "video_duration": float(event.plan.duration),
        "source_bytes": event.source.bytes,
        "parts": len(event.plan.release_order),
        "work": event.plan.work,
        "warnings": _merged(job, event.warnings),
    }


def _work_of(job: Job, event: ev.PartRequested) -> float:
    """What a part is of the encode; version 0.1 did not tell, so that its parts count alike."""
    return job.work / max(job.parts, 1) if event.work is None else event.work


def _transcoded(job: Job, event: ev.PartTranscoded) -> dict[str, Any]:
    under_way = {part: work for part, work in job.under_way.items() if part != event.part}
    transcoded = job.parts_transcoded + 1
    change: dict[str, Any] = {
        "under_way": under_way,
        "work_done": job.work_done + job.under_way.get(event.part, 0.0),
        "parts_transcoded": transcoded,
        "warnings": _merged(job, event.warnings),
    }
    if not event.inherited:
        change["rendition_seconds"] = job.rendition_seconds + sum(_video_seconds(made) for made in event.renditions)
        change["encode_seconds"] = job.encode_seconds + event.seconds
    return change | {"encoded_at": event.at} if transcoded == job.parts else change


def _video_seconds(made: RenditionTotals) -> float:
    return made.seconds if kind_of(made.folder) == "video" else 0.0


def _merged(job: Job, warnings: tuple[JobWarning, ...]) -> tuple[JobWarning, ...]:
    return tuple(dict.fromkeys(job.warnings + warnings))

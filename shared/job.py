"""The fold from events to a job: the one place that says what a job's state is.

The api's projector and the notifier both use it, so what a webhook says is what GET says.
"""

from datetime import datetime
from typing import Any, Literal, assert_never, cast

from pydantic import BaseModel, ConfigDict

from shared import events as ev
from shared.ids import JobId, OrgCode
from shared.locations import mask
from shared.media.result import Outputs

Status = Literal["queued", "transcoding", "completed", "error", "cancelled"]
Stage = Literal["queued", "fetching", "transcoding", "uploading", "done"]
FINISHED: frozenset[str] = frozenset({"completed", "error", "cancelled"})

# How much of the bar each stage fills, in percent; encoding is the bulk of the work.
FETCH_SHARE, ENCODE_SHARE, UPLOAD_SHARE = 10.0, 80.0, 9.0

# What a track of sound and one of text take, against the whole video.
AUDIO_WORK, TEXT_WORK = 0.1, 0.01


class Job(BaseModel):
    """The state of one job after some prefix of its events.

    ``part_weights`` is each part's share of the whole encode (they sum to 1; an audio track counts as a tenth of the
    video, one of text as a hundredth), ``encoding`` the same for the parts that are not transcoded yet; ``uploaded`` is
    the share that is uploaded.
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
    client_metadata: str | None = None
    priority: ev.Priority = "normal"
    profile: str = "balanced"
    status: Status = "queued"
    admitted: bool = False
    start_time: datetime | None = None
    fetched_at: datetime | None = None
    encoded_at: datetime | None = None
    end_time: datetime | None = None
    video_duration: float | None = None
    parts: int = 0
    parts_transcoded: int = 0
    parts_uploaded: int = 0
    part_weights: dict[str, float] = {}
    encoding: dict[str, float] = {}
    uploaded: float = 0
    error_code: str | None = None
    error_message: str | None = None
    error_detail: str | None = None
    warnings: tuple[ev.JobWarning, ...] = ()
    outputs: Outputs | None = None

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
        left = sum(weight * (1 - min(live.get(part, 0.0), 1.0)) for part, weight in self.encoding.items())
        return min(int(FETCH_SHARE + ENCODE_SHARE * (1 - left) + UPLOAD_SHARE * self.uploaded + 1e-9), 99)


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
        client_metadata=event.client_metadata,
        priority=event.priority,
        profile=event.profile,
    )


def _change(job: Job, event: ev.AnyEvent) -> dict[str, Any]:
    match event:
        case ev.Admitted():
            return {"admitted": True}
        case ev.Started():
            return {"status": "transcoding", "start_time": event.at}
        case ev.Fetched():
            return _fetched(job, event)
        case ev.PartTranscoded():
            return _transcoded(job, event)
        case ev.PartUploaded():
            weight = job.part_weights.get(event.part, 0.0)
            return {"uploaded": job.uploaded + weight, "parts_uploaded": job.parts_uploaded + 1}
        case ev.Completed():
            return {
                "status": "completed",
                "end_time": event.at,
                "outputs": event.outputs,
                "warnings": _merged(job, event.warnings),
            }
        case ev.Failed():
            error = {"error_code": event.code, "error_message": event.message, "error_detail": event.detail}
            return {"status": "error", "end_time": event.at, **error}
        case ev.Cancelled():
            return {"status": "cancelled", "end_time": event.at}
        case ev.Created() | ev.PartRequested():
            return {}
        case _:
            # A kind of event that is missing above is an error of types; at run time readers leave out what they do not know.
            assert_never(event)


def _fetched(job: Job, event: ev.Fetched) -> dict[str, Any]:
    plan = event.plan
    work = {part.name: float(part.frames) for part in plan.video}
    work |= {part.name: AUDIO_WORK * plan.frames for part in plan.audio}
    work |= {part.name: TEXT_WORK * plan.frames for part in plan.text}
    total = sum(work.values()) or 1.0
    weights = {name: amount / total for name, amount in work.items()}
    return {
        "fetched_at": event.at,
        "video_duration": float(plan.duration),
        "parts": len(weights),
        "part_weights": weights,
        "encoding": weights,
        "warnings": _merged(job, event.warnings),
    }


def _transcoded(job: Job, event: ev.PartTranscoded) -> dict[str, Any]:
    left = {part: weight for part, weight in job.encoding.items() if part != event.part}
    change: dict[str, Any] = {
        "encoding": left,
        "parts_transcoded": job.parts - len(left),
        "warnings": _merged(job, event.warnings),
    }
    return change if left else change | {"encoded_at": event.at}


def _merged(job: Job, warnings: tuple[ev.JobWarning, ...]) -> tuple[ev.JobWarning, ...]:
    return tuple(dict.fromkeys(job.warnings + warnings))

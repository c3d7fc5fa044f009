"""A job's timeline, folded from its events: when its stages began and ended, and who did each of its parts.

Pure functions of what the log holds; what the job waits for at present is no event, and comes from elsewhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared import events as ev
from shared.attempt import Attempt
from shared.job import Job, apply
from shared.media.plan import Plan
from shared.payload import timestamp


@dataclass
class _Part:
    requested: ev.PartRequested | None = None
    transcoded: ev.PartTranscoded | None = None
    uploaded: ev.PartUploaded | None = None


@dataclass
class Timeline:
    """What has happened to a job so far.

    Attributes:
        job: its state.
        parts: every part that was planned, in the release order.
    """

    job: Job
    fetched: ev.Fetched | None = None
    completed: ev.Completed | None = None
    parts: dict[str, _Part] = field(default_factory=dict)

    def stages(self) -> list[dict[str, Any]]:
        """The stages that have begun, each with when it began and ended; the end is None while it lasts."""
        job = self.job
        marks = [
            ("queued", job.created, job.start_time),
            ("fetching", job.start_time, job.fetched_at),
            ("transcoding", job.fetched_at, job.encoded_at),
            ("uploading", job.encoded_at, job.end_time),
        ]
        # A job that fails or is cancelled ends in the stage that it had come to.
        return [
            {"stage": stage, "began": timestamp(began), "ended": timestamp(ended or job.end_time)}
            for stage, began, ended in marks
            if began
        ]

    def fetch(self) -> dict[str, Any] | None:
        """The fetch, once it is done; None before."""
        return {"ended": timestamp(self.fetched.at), **_attempt(self.fetched.attempt)} if self.fetched else None

    def finish(self) -> dict[str, Any] | None:
        """Who has written the playlists; None before the job is completed."""
        done = self.completed
        return {"ended": timestamp(done.at), **_attempt(done.attempt)} if done else None

    def page(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """What is shown of some parts."""
        return [self._shown(name, self.parts[name]) for name in names]

    def _shown(self, name: str, part: _Part) -> dict[str, Any]:
        plan = self.fetched.plan if self.fetched else None
        begin, seconds = _span(plan, name) if plan else (None, None)
        return {
            "part": name,
            "kind": _kind(plan, name),
            "begin": begin,
            "duration": seconds,
            "requested": timestamp(part.requested.at) if part.requested else None,
            "encode": _encode(part.transcoded, seconds) if part.transcoded else None,
            "upload": _upload(part.uploaded) if part.uploaded else None,
        }


def fold_timeline(events: Iterable[ev.Event]) -> Timeline | None:
    """The timeline after a job's events, which come in the log's order; None where the job's first event is missing."""
    found: Timeline | None = None
    for event in events:
        if found is None:
            if isinstance(event, ev.Created):
                found = Timeline(apply(None, event))
            continue
        found.job = apply(found.job, event)
        match event:
            case ev.Fetched():
                found.fetched = event
                found.parts = {name: _Part() for name in event.plan.release_order} | found.parts
            case ev.PartRequested():
                found.parts.setdefault(event.part, _Part()).requested = event
            case ev.PartTranscoded():
                found.parts.setdefault(event.part, _Part()).transcoded = event
            case ev.PartUploaded():
                found.parts.setdefault(event.part, _Part()).uploaded = event
            case ev.Completed():
                found.completed = event
    return found


def _encode(done: ev.PartTranscoded, duration: float | None) -> dict[str, Any]:
    # Where nobody has encoded anything, as for a part that was inherited, there is no speed.
    speed = round(duration / done.seconds, 2) if duration and done.seconds else None
    return {
        "ended": timestamp(done.at),
        **_attempt(done.attempt),
        "encoder": done.encoder,
        "seconds": done.seconds,
        "speed": speed,
    }


def _upload(done: ev.PartUploaded) -> dict[str, Any]:
    return {"ended": timestamp(done.at), **_attempt(done.attempt), "objects": done.objects, "bytes": done.bytes}


def _attempt(attempt: Attempt | None) -> dict[str, Any]:
    """What events of before do not tell is None."""
    if attempt is None:
        return {"began": None, "worker": None, "attempt": None, "put_off": None, "failures": {}, "waited": []}
    return {
        "began": timestamp(attempt.began),
        "worker": attempt.worker,
        "attempt": attempt.number,
        "put_off": attempt.put_off,
        "failures": dict(attempt.failures),
        "waited": [
            {"code": wait.code, "since": timestamp(wait.since), "last": timestamp(wait.last)} for wait in attempt.waited
        ],
    }


def _kind(plan: Plan | None, name: str) -> str | None:
    if plan is None:
        return None
    if plan.audio_part(name):
        return "audio"
    return "text" if plan.text_part(name) else "video"


def _span(plan: Plan, name: str) -> tuple[float, float]:
    """Where in the output a part begins, and how long it is, in seconds. Tracks of sound and text are whole."""
    video = plan.video_part(name)
    if video is None:
        return 0.0, round(float(plan.duration), 3)
    return round(float(video.first_frame / plan.frame_rate), 3), round(float(video.frames / plan.frame_rate), 3)

"""The job as clients see it: one serializer for responses, webhooks and server-sent events."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from shared.job import Job
from shared.waiting import Waiting

Surface = Literal["detail", "list", "webhook", "stream"]
"""Where the job is shown; the public samples spell ``status`` by surface, and clients compare strings."""

_TITLE_CASE: frozenset[Surface] = frozenset({"detail"})
_SURROGATE = re.compile("[\ud800-\udfff]")
_METADATA_MARK = '"\\u0000client_metadata\\u0000"'


@dataclass(frozen=True)
class Standing:
    """How a job stands among its organization's others at the moment: what none of its own events tells.

    Attributes:
        queue_position: counted from 1; None where the job does not wait for its admission.
        retried_by: the newest job that runs it again.
    """

    queue_position: int | None = None
    retried_by: str | None = None


NO_STANDING = Standing()


def spell_status(status: str, surface: Surface) -> str:
    """``Queued`` where one job is answered, ``queued`` in lists, webhooks and on the bus."""
    return status.capitalize() if surface in _TITLE_CASE else status


def timestamp(value: datetime | None) -> str | None:
    """ISO 8601 in UTC with ``Z`` and microseconds, or None."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if value else None


def json_text(value: object) -> str:
    """JSON with its letters as they are, but for what UTF-8 cannot spell: half a surrogate pair."""
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))


def job_json(
    job: Job,
    surface: Surface,
    *,
    progress: int | None = None,
    standing: Standing = NO_STANDING,
    waiting: Waiting | None = None,
    fields: Collection[str] | None = None,
) -> str:
    """The job object as JSON text.

    ``client_metadata`` stands in it byte for byte as the client wrote it, which no JSON library would do for us: it is
    spliced in as text.

    Args:
        progress: percent to show where more is known than the events tell.
        standing: left out of webhooks, which come when it may be another one.
        waiting: what the job waits for, where that is known; the events do not tell.
        fields: the members to show; None for all.
    """
    shown = {
        "id": job.id,
        "type": "transcoding_job",
        "resolutions": list(job.resolutions),
        "video_duration": None if job.video_duration is None else round(job.video_duration),
        "status": spell_status(job.status, surface),
        "enable_drm": job.enable_drm,
        "drm_content_id": job.drm_content_id,
        "input_url": job.input_url,
        "output_path": job.output_path,
        "start_time": timestamp(job.start_time),
        "end_time": timestamp(job.end_time),
        "error_message": job.error_message,
        "client_metadata": "\0client_metadata\0",
        "created": timestamp(job.created),
        "progress": max(progress or 0, job.progress()),
        "stage": job.stage,
        "waiting": waiting_json(waiting) if waiting else None,
        "error_code": job.error_code,
        "error_detail": job.error_detail or None,
        "warnings": [warning.model_dump() for warning in job.warnings],
        "outputs": job.outputs.model_dump() if job.outputs else None,
        "timings": job.timings,
        "priority": job.priority,
        "profile": job.profile,
        "encryption": job.encryption.scheme if job.encryption else "none",
        "early_playback": job.early_playback,
        "playable_at": timestamp(job.playable_at),
        "retry_of": job.retry_of,
        "retried_by": standing.retried_by,
        "queue_position": standing.queue_position,
    }
    text = json_text(shown if fields is None else {name: shown[name] for name in shown if name in fields})
    # No other member can hold a NUL: addresses with control characters are refused at intake, and details are cleaned.
    return text.replace(_METADATA_MARK, job.client_metadata if job.client_metadata is not None else "null", 1)


def waiting_json(waiting: Waiting) -> dict[str, str | None]:
    """What is shown of an outage that a job waits for."""
    return {
        "code": waiting.code,
        "message": waiting.message,
        "service": waiting.service,
        "since": timestamp(waiting.since),
        "until": timestamp(waiting.until),
    }

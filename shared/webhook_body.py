"""The body that a webhook is sent: the job as it was when it came to a status. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from shared.events import Created, Recorded
from shared.job import Job, apply
from shared.payload import job_json

TEST_EVENT = "webhook.test"
"""The ``x-streams-event`` of a test."""

_SAMPLE_CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def job_at(recorded: Sequence[Recorded], sequence: int) -> Job | None:
    """A job as its events up to a place in the log have made it; None where there are none.

    Args:
        recorded: the job's events in the log's order.
    """
    job: Job | None = None
    for item in recorded:
        if item.sequence <= sequence:
            job = apply(job, item.event)
    return job


def webhook_body(job: Job) -> bytes:
    """The body that tells of a job."""
    return job_json(job, "webhook").encode()


def sample_job(org: str, job: str) -> Job:
    """What a test tells of: a job that there is not. The same at every attempt."""
    created = Created(
        org=org,
        job=job,
        at=_SAMPLE_CREATED,
        input_url="https://example.com/input-video.mp4",
        output_path="s3://example-bucket/path/",
        resolutions=("240p", "480p"),
        client_metadata='{"test": true}',
    )
    return apply(None, created)

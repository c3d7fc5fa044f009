"""The body that a webhook is sent: the job as it was when it came to a status. Pure."""

from collections.abc import Sequence

from shared.events import Recorded
from shared.job import Job, apply
from shared.payload import job_json


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

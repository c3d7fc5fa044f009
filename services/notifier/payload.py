"""What a webhook is told: the job as it was when it came to the status."""

from dataclasses import dataclass

from shared.bus.errors import bus_calls
from shared.bus.joblog import JobLog
from shared.deliveries import WebhookAttempt
from shared.webhook_body import TEST_EVENT, job_at, sample_job, webhook_body


@dataclass(frozen=True)
class WebhookPayload:
    """What is sent: ``message_id`` the same on every attempt, ``event`` such as ``transcoding_job.completed``."""

    message_id: str
    event: str
    body: bytes


async def make_payload(log: JobLog, attempt: WebhookAttempt) -> WebhookPayload:
    """The payload of an attempt. The log alone decides what it says, so every attempt sends the same bytes.

    Raises:
        BusUnavailable: the bus is out of reach, or the log does not reach as far as the attempt says.
        LookupError: the log has no such job.
    """
    if attempt.test:
        return WebhookPayload(attempt.message_id, TEST_EVENT, webhook_body(sample_job(attempt.org, attempt.job)))
    async with bus_calls(10):
        recorded = await log.read(attempt.org, attempt.job, at_least=attempt.sequence)
    job = job_at(recorded, attempt.sequence)
    if job is None:
        raise LookupError(f"the log has no job {attempt.job}")
    return WebhookPayload(attempt.message_id, f"transcoding_job.{attempt.status}", webhook_body(job))

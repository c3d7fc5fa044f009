"""A valid request for a job, and what becomes of it: full addresses for the vault, and the first event."""

from dataclasses import dataclass

from services.api.contract.addresses import with_credentials
from services.api.contract.errors import Invalid
from services.api.contract.models import JobRequest
from services.api.drm.encryption import Order
from shared.bus.vault import JobAddresses
from shared.events import Created
from shared.job import Job
from shared.locations import S3Location, mask


@dataclass(frozen=True)
class Submission:
    """A valid request for a job, with what of it has to be kept as text.

    Attributes:
        metadata: the JSON text of ``client_metadata`` as received. body: all that was asked for, for the key's sake: with the
            same key comes the same.
        retry_of: the ended job that this one runs again. keys_from: where the keys of its output came from.
    """

    request: JobRequest
    metadata: str | None
    body: bytes
    key: str | None = None
    retry_of: str | None = None
    keys_from: str | None = None


@dataclass(frozen=True)
class Accepted:
    """The job. ``replayed``: an earlier request with the same idempotency key made it."""

    job: Job
    replayed: bool = False


def completed(request: JobRequest, storage: S3Location | None) -> JobAddresses:
    """The addresses of a job, with credentials that the organization's storage supplies where they have none.

    Raises:
        Invalid: it cannot supply them.
    """
    texts, problems = {}, {}
    for field, text, is_prefix in (
        (request.source_field, request.source, False),
        ("output_path", request.output_path, True),
    ):
        try:
            texts[field] = _complete(text, is_prefix=is_prefix, storage=storage)
        except ValueError as error:
            problems[field] = [str(error)]
    if problems:
        raise Invalid(problems)
    return JobAddresses(texts[request.source_field], texts["output_path"])


def _complete(text: str, *, is_prefix: bool, storage: S3Location | None) -> str:
    return with_credentials(text, is_prefix=is_prefix, storage=storage) if text.startswith("s3://") else text


def created_event(org: str, job: str, submission: Submission, order: Order | None) -> Created:
    """The first event of a job, without any secret."""
    request = submission.request
    return Created(
        org=org,
        job=job,
        input_url=mask(request.source),
        output_path=mask(request.output_path),
        resolutions=tuple(request.resolutions),
        enable_drm=request.encrypted == "cbcs",
        drm_content_id=order.content_of(org, job) if order else None,
        encryption=order.request if order else None,
        client_metadata=submission.metadata,
        priority=request.priority,
        profile=request.profile,
        retry_of=submission.retry_of,
        keys_from=submission.keys_from,
        early_playback=request.early_playback,
    )

"""Settings of the uploader."""

from typing import ClassVar

from pydantic import Field

from shared.settings import SealingSettings, WorkerSettings


class UploaderSettings(WorkerSettings, SealingSettings):
    """Read from ``MILLRACE_…`` and ``MILLRACE_UPLOADER_…``."""

    service: ClassVar[str] = "uploader"

    slots: int = Field(4, ge=1, le=256, description="Parts uploaded at the same time")
    parallel_requests: int = Field(8, ge=1, le=64, description="Requests to the bucket at the same time, for each slot")
    cache_control: str = Field("", max_length=200, description="Cache-Control of every uploaded object; none if empty")
    keep_for_retry_seconds: float = Field(
        3600,
        ge=0,
        description="How long source and finished parts of a job that failed or was cancelled are kept for its retry, if nobody "
        "needs the room; 0 for not at all",
    )
    keep_free_bytes: int = Field(
        2**30, ge=0, description="Bytes of the work space that have to be free for anything to be kept for retries"
    )
    sweep_seconds: float = Field(
        2, gt=0, le=3600, description="How often the work space is searched for what ended jobs left"
    )

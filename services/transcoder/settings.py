"""Settings of the transcoder."""

import os
from typing import ClassVar, Literal

from pydantic import Field

from shared.settings import WorkerSettings


class TranscoderSettings(WorkerSettings):
    """Read from ``MILLRACE_…`` and ``MILLRACE_TRANSCODER_…``."""

    service: ClassVar[str] = "transcoder"

    slots: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=256,
        description="Parts encoded at the same time; by default one for each core",
    )
    encoder: Literal["auto", "libx264", "h264_nvenc"] = Field(
        "auto", description="auto takes h264_nvenc where a trial encode at start works, else libx264"
    )
    stall_seconds: float = Field(
        300, gt=0, description="An encode without progress for this long is stopped and tried again"
    )
    cpu_seconds: float = Field(
        7 * 24 * 3600, gt=0, description="Time of processors that one encode may use, that of all its threads together"
    )
    memory_bytes: int = Field(16 * 2**30, ge=2**29, description="Address space one encode may use")
    file_bytes: int = Field(64 * 2**30, ge=2**20, description="Largest file one encode may write")

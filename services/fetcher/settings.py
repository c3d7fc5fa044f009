"""Settings of the fetcher."""

from typing import ClassVar

from pydantic import Field

from shared.settings import SealingSettings, WorkerSettings

MEGABYTE, GIGABYTE = 1024**2, 1024**3


class FetcherSettings(WorkerSettings, SealingSettings):
    """Settings of the fetcher."""

    service: ClassVar[str] = "fetcher"

    part_window: int = Field(
        64,
        ge=1,
        le=900,
        description="How many parts of one job may be requested and not yet uploaded at the most, where transcoders are idle;"
        " what is transcoded and not yet uploaded takes room in the work space",
    )
    connections: int = Field(6, ge=1, le=64, description="Ranges of one source that are asked for at the same time")
    chunk_bytes: int = Field(8 * MEGABYTE, ge=64 * 1024, le=GIGABYTE, description="Size of such a range")
    max_bytes: int = Field(200 * GIGABYTE, ge=1, description="Largest source that is accepted")
    max_duration_seconds: float = Field(24 * 3600, gt=0, description="Longest source that is accepted")
    max_pixels: int = Field(40_000_000, ge=256, description="Largest frame size that is accepted, width times height")
    download_seconds: float = Field(6 * 3600, gt=0, description="How long a download may take in all")
    stall_seconds: float = Field(
        20, gt=0, description="After this long without a byte a connection is given up and opened again"
    )
    response_seconds: float = Field(
        30,
        gt=0,
        description="How long a source may take until the first byte of what it was asked for, redirects and headers included",
    )
    patience_seconds: float = Field(
        60,
        gt=0,
        description="After this long without a byte on any connection a download gives back its slot, and goes on later",
    )
    first_contact_seconds: float = Field(
        30,
        gt=0,
        description="How long a source is tried at whose address nobody has ever taken a connection; others are waited for as "
        "long as any outage",
    )
    min_bytes_per_second: float = Field(
        32 * 1024, ge=0, description="A source slower than this, over patience_seconds, is given up"
    )
    keep_free_bytes: int = Field(GIGABYTE, ge=0, description="Bytes of the work space that downloads leave free")
    probe_seconds: float = Field(
        1800,
        gt=0,
        description="How long listing the packets of a source may take, and how long copying them into another container",
    )
    probe_memory_bytes: int = Field(
        8 * GIGABYTE, ge=256 * MEGABYTE, description="Address space of each ffprobe and ffmpeg process"
    )

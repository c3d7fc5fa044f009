"""What the transcoder tells beside what all workers do, by the encoder that made a part."""

from prometheus_client import Counter, Gauge, Histogram

from shared.metrics import JOB_SECONDS, REGISTRY

ENCODER = Gauge(
    "millrace_encoder", "Always 1; the label says which encoder was chosen at the start", ["encoder"], registry=REGISTRY
)
PART_SECONDS = Histogram(
    "millrace_part_seconds",
    "How long a part took to be encoded, checked and packaged",
    ["encoder"],
    buckets=(0.25, *JOB_SECONDS),
    registry=REGISTRY,
)
PART_SPEED = Histogram(
    "millrace_part_realtime_factor",
    "Seconds of film for each second that its part took, at all renditions together",
    ["encoder"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128),
    registry=REGISTRY,
)
MEDIA_SECONDS = Counter(
    "millrace_part_media_seconds_total",
    "Seconds of film, sound or text in the parts that were made",
    ["encoder"],
    registry=REGISTRY,
)
GPU_FALLBACKS = Counter(
    "millrace_gpu_fallbacks_total",
    "Parts that failed on the GPU and were encoded on the CPU instead",
    registry=REGISTRY,
)


def made(encoder: str, *, seconds: float, media: float) -> None:
    """A part was made.

    Args:
        seconds: that it took. media: seconds of film that it is.
    """
    PART_SECONDS.labels(encoder).observe(seconds)
    MEDIA_SECONDS.labels(encoder).inc(media)
    PART_SPEED.labels(encoder).observe(media / max(seconds, 0.001))

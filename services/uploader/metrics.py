"""What the uploader tells beside what all workers do."""

from prometheus_client import Counter, Histogram

from shared.metrics import JOB_SECONDS, REGISTRY

UPLOADED_BYTES = Counter("millrace_uploaded_bytes_total", "Bytes of objects written to buckets", registry=REGISTRY)
COPIED_BYTES = Counter(
    "millrace_copied_bytes_total",
    "Of the bytes written to buckets, those that the storage copied itself",
    registry=REGISTRY,
)
UPLOADED_OBJECTS = Counter("millrace_uploaded_objects_total", "Objects written to buckets", registry=REGISTRY)
FINISH_SECONDS = Histogram(
    "millrace_finish_seconds",
    "How long it took to assemble a presentation, verify it in the bucket and write its playlists; failed tries too",
    buckets=(0.1, *JOB_SECONDS),
    registry=REGISTRY,
)
NOT_COMPLIANT = Counter(
    "millrace_presentations_not_compliant_total", "Presentations that break a rule for HLS or DASH", registry=REGISTRY
)

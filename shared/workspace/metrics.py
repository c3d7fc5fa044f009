"""What workers tell of a work space in S3."""

from prometheus_client import Counter

from shared.metrics import OTHER, REGISTRY

KINDS = ("source", "parts", "records", "uploaded", "tiles")
"""The first names in a job's keys."""

TRAFFIC = Counter(
    "millrace_workspace_bytes_total",
    "Bytes that were read from and written to a work space in S3, by what they are of: source, parts, records, uploaded, tiles",
    ["of", "direction"],
    registry=REGISTRY,
)


def begin() -> None:
    """Have the series begin at zero, where nothing goes through S3 as well: a dashboard shows that there is none then."""
    for kind in (*KINDS, OTHER):
        for direction in ("read", "written"):
            TRAFFIC.labels(kind, direction)


def moved(key: str, direction: str, size: int) -> None:
    """Bytes were ``read`` or ``written``.

    Args:
        key: of the object, ``<org>/<job>/<kind>/…``.
    """
    names = key.split("/", 3)
    kind = names[2] if len(names) > 2 and names[2] in KINDS else OTHER
    TRAFFIC.labels(kind, direction).inc(size)

"""What every service tells Prometheus, and the registry from which its health port tells it.

All labels are bounded by the code: consumers, encoders, error codes, outcomes. None is ever a job, an organization or an address,
so that the number of series does not grow with the work. Each service has further ones in a module ``metrics`` of its own;
docs/metrics.md, which is made from these modules, lists them all.
"""

import asyncio
import resource
from collections.abc import Iterator
from functools import cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from shared.errors import ERRORS

REGISTRY = CollectorRegistry()
"""All metrics of the process."""

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Of :func:`exposition`."""

JOB_SECONDS = (1, 2.5, 5, 10, 30, 60, 150, 300, 600, 1800, 3600, 7200, 14400, 43200)
"""Buckets for what depends on the length of a film."""

OTHER = "other"
"""Stands for what is not in a table that bounds a label."""

SERVICE = Gauge("millrace_service", "Always 1; the label says which service this is", ["service"], registry=REGISTRY)
EVENT_LOOP_LAG = Histogram(
    "millrace_event_loop_lag_seconds",
    "How much later than planned the event loop woke up, measured four times a second",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
    registry=REGISTRY,
)
NATS_CONNECTED = Gauge(
    "millrace_nats_connected", "1 while a connection to NATS stands, else 0", ["connection"], registry=REGISTRY
)
NATS_DISCONNECTS = Counter(
    "millrace_nats_disconnects_total", "Connections to NATS that were lost", ["connection"], registry=REGISTRY
)
SPANS_DROPPED = Counter(
    "millrace_spans_dropped_total", "Spans of traces that the collector did not take in time", registry=REGISTRY
)

_LOOK_SECONDS = 0.25


class Children(Collector):
    """What the kernel has counted of children."""

    def collect(self) -> Iterator[Metric]:
        """Called whenever somebody asks for the metrics."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        yield CounterMetricFamily(
            "millrace_children_cpu_seconds_total",
            "Processor time of ffmpeg and other programs that this process has started, told when they have ended",
            value=used.ru_utime + used.ru_stime,
        )


CHILDREN = Children()
REGISTRY.register(CHILDREN)


def error_label(code: str) -> str:
    """An error code as a label: one of the table of errors, or :data:`OTHER`."""
    return code if code in ERRORS else OTHER


def exposition() -> bytes:
    """All metrics in Prometheus' text format, of type :data:`CONTENT_TYPE`."""
    return generate_latest(_whole_registry())


async def watch_event_loop() -> None:
    """Measure the lag of the event loop until cancelled."""
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + _LOOK_SECONDS
        await asyncio.sleep(_LOOK_SECONDS)
        EVENT_LOOP_LAG.observe(max(0.0, clock() - due))


@cache
def _whole_registry() -> CollectorRegistry:
    """With the metrics of the process itself (memory, processor, open files), which read from /proc as soon as they are made."""
    # When a series began is told by Prometheus' own bookkeeping; these would be as many series again.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    ProcessCollector(registry=REGISTRY)
    return REGISTRY

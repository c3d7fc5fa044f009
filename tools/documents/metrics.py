"""docs/metrics.md, out of the modules that define the metrics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, get_args

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

import services.api.metrics
import services.fetcher.metrics
import services.notifier.metrics
import services.transcoder.metrics
import services.uploader.metrics
import shared.bus.metrics
import shared.cage.metrics
import shared.metrics
import shared.workspace.metrics
from shared.bus.metrics import Outcome, Verdict, handler_metrics

_INTRODUCTION = """\
# Metrics

Every service answers `/metrics` in Prometheus' format on its health port (`MILLRACE_<SERVICE>_HEALTH_PORT`); the api does so on
that port only, never where it serves the REST API. The health port is for the inside: it asks for no password, and tells how
busy the system is. [Watching](operations.md#watching) describes how to have Prometheus collect them, the alert rules and the
dashboards.

No label ever names a job, an organization or an address, so the number of series does not grow with the work: about two
hundred for each process. Series whose name ends in `_total` are counters and begin anew with their process; `_seconds` of type
histogram come with `_bucket`, `_sum` and `_count`. Those of an api of several processes have a further label, `process`.
"""
_LEADERS = """\
Only the replica that leads has these, so that nothing is counted twice; it looks every five seconds. When another one takes over,
they go on there; while it cannot look, they are missing.
"""
_HANDLERS = """\
FastStream's own, beneath the lease runtime: what the handlers alone did. The label `handler` names the consumer. Work that was
stopped from outside counts as `acked` here; `millrace_work_total` tells how it really ended.
"""
_PROCESS = (
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
)


@dataclass(frozen=True)
class Family:
    """Series of one name."""

    name: str
    kind: str
    labels: tuple[str, ...]
    description: str


def families_of(module: ModuleType) -> list[Family]:
    """What a module defines, in its order."""
    return [family for value in vars(module).values() for family in _families(value)]


def sections() -> Mapping[str, tuple[str, list[Family]]]:
    """By heading an introduction and the series."""
    api = families_of(services.api.metrics)
    leaders = {family.name for gauge in services.api.metrics.LEADERS for family in _families(gauge)}
    return {
        "All services": ("", families_of(shared.metrics)),
        "Workers": (
            _outcomes(),
            families_of(shared.bus.metrics) + families_of(shared.workspace.metrics) + families_of(shared.cage.metrics),
        ),
        "Fetcher": ("", families_of(services.fetcher.metrics)),
        "Transcoder": ("", families_of(services.transcoder.metrics)),
        "Uploader": ("", families_of(services.uploader.metrics)),
        "Notifier": ("", families_of(services.notifier.metrics)),
        "Api": ("", [family for family in api if family.name not in leaders]),
        "Api, the leader": (_LEADERS, [family for family in api if family.name in leaders]),
        "Handlers": (_HANDLERS, _of_registry(_handlers())),
    }


def metric_names() -> set[str]:
    """The names of all series that a query may ask for."""
    found = set(_PROCESS)
    for _, families in sections().values():
        for family in families:
            ends = ("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",)
            found |= {family.name + end for end in ends}
    return found


def metric_tables() -> str:
    """The whole document, but for its first line."""
    parts = [_INTRODUCTION]
    for heading, (introduction, families) in sections().items():
        rows = [_row(family) for family in families]
        lead = [f"## {heading}", "", *([introduction] if introduction else [])]
        parts.append("\n".join([*lead, "| Name | Type | Labels | Meaning |", "|---|---|---|---|", *rows, ""]))
    names = ", ".join(f"`{name}`" for name in _PROCESS)
    return "\n".join([*parts, f"## Process\n\nAs Prometheus' client libraries have them everywhere:\n{names}.\n"])


def _outcomes() -> str:
    outcomes, verdicts = (", ".join(f"`{one}`" for one in get_args(kind)) for kind in (Outcome, Verdict))
    return (
        "The label `consumer` is that of the [work queue](events.md). An outcome is one of "
        f"{outcomes}; `put_off` is work that came out of turn, and was not begun. A verdict is one of {verdicts}.\n"
    )


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    return f"| `{family.name}` | {family.kind} | {labels} | {family.description} |"


def _families(value: Any) -> Iterator[Family]:
    if isinstance(value, MetricWrapperBase):
        labels: tuple[str, ...] = value._labelnames
        for metric in value.describe():
            yield _family(metric.name, metric.type, labels, metric.documentation)
    elif isinstance(value, shared.metrics.Children):
        for metric in value.collect():
            yield _family(metric.name, metric.type, (), metric.documentation)


def _family(name: str, kind: str, labels: tuple[str, ...], description: str) -> Family:
    return Family(name + ("_total" if kind == "counter" else ""), kind, labels, description)


def _of_registry(registry: CollectorRegistry) -> list[Family]:
    found = [family for collector in registry._collector_to_names for family in _families(collector)]
    # Nothing is published through FastStream.
    return [family for family in found if "_published_" not in family.name]


def _handlers() -> CollectorRegistry:
    registry = CollectorRegistry()
    handler_metrics("", registry)
    return registry

"""How many processes an api has, and what they tell together."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from services.api.family import merged
from services.api.processes import processes_wanted
from shared.cores import usable_cores


def exposition(value: float, label: str) -> bytes:
    registry = CollectorRegistry()
    Counter("asked_total", "How often {it} was asked", ["path"], registry=registry).labels(label).inc(value)
    Gauge("leads", "Whether it leads", registry=registry).set(value)
    Histogram("took_seconds", "How long it took", buckets=(1, 5), registry=registry).observe(value)
    if value == 2:
        Gauge("bytes_sum", "A gauge that is called as if it were of a summary", registry=registry).set(7)
    return generate_latest(registry)


def test_metrics_of_several_processes_are_told_apart() -> None:
    text = merged({1: exposition(2, 'a "}" b'), 0: exposition(3, "/x")}).decode()
    parsed = text_string_to_metric_families(text)
    families = {family.name: family for family in parsed if not family.name.endswith("_created")}
    assert {name: family.type for name, family in families.items()} == {
        "asked": "counter", "leads": "gauge", "took_seconds": "histogram", "bytes_sum": "gauge",
    }  # fmt: skip
    asked = {
        (s.labels["process"], s.labels["path"]): s.value for s in families["asked"].samples if "created" not in s.name
    }
    assert asked == {("0", "/x"): 3, ("1", 'a "}" b'): 2}
    assert {s.labels["process"]: s.value for s in families["leads"].samples} == {"0": 3, "1": 2}
    assert [(s.labels, s.value) for s in families["bytes_sum"].samples] == [({"process": "1"}, 7)]
    counts = {s.labels["process"]: s.value for s in families["took_seconds"].samples if s.name == "took_seconds_count"}
    assert counts == {"0": 1, "1": 1}
    lines = text.splitlines()
    assert len([line for line in lines if line.startswith("# TYPE leads")]) == 1


@pytest.mark.parametrize(
    ("limit", "cores"), [("max 100000", None), ("150000 100000", 1.5), ("nonsense", None), ("1 100000", 0.1)]
)
def test_cores_that_a_container_may_use(tmp_path: Path, limit: str, cores: float | None) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(limit + "\n")
    whole = usable_cores(tmp_path / "nothing")
    assert whole >= 1
    assert usable_cores(file) == (whole if cores is None else min(whole, cores))


def test_there_are_as_many_processes_as_set() -> None:
    assert processes_wanted(5) == 5
    assert processes_wanted(0) == min(4, max(1, int(usable_cores() // 2)))

"""What the services tell Prometheus: all of it documented, and no more series for more work."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from aiohttp import ClientSession
from nats.aio.client import Client
from nats.aio.msg import Msg

import services.api.metrics as api
import services.notifier.metrics as notifier
import services.transcoder.metrics as transcoder
from shared.bus import metrics as bus
from shared.deliveries import DeliveryAttempted
from shared.deliveries import Outcome as AttemptOutcome
from shared.errors import ERRORS
from shared.events import Cancelled, Completed, Failed, Recorded
from shared.health import Health
from shared.ids import new_job_id, new_org_code
from shared.job import Job, apply
from shared.metrics import REGISTRY, error_label, exposition
from tests.support import samples
from tests.support.ports import free_port
from tools.documents.metrics import metric_names, sections

ROOT = Path(__file__).resolve().parents[2]
ROUTES = ("/api/v1/{org}/transcoding_jobs/", "/api/v1/{org}/transcoding_jobs/{job}/events/", "none")


def test_every_metric_of_the_code_is_in_the_document() -> None:
    defined = set()
    for path in (*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")):
        defined |= set(re.findall(r"""(?:Counter|Gauge|Histogram|MetricFamily)\(\s*"([a-z_]+)""", path.read_text()))
    documented = {family.name for _, families in sections().values() for family in families}
    assert defined
    assert defined == {name for name in documented if not name.startswith("millrace_handler_")}


def test_names_follow_the_conventions_of_prometheus() -> None:
    for heading, (_, families) in sections().items():
        for family in families:
            assert re.fullmatch(r"millrace(_[a-z]+)+", family.name), family.name
            assert family.description, family.name
            assert (family.kind == "counter") == family.name.endswith("_total"), family.name
            if family.kind == "histogram" and "factor" not in family.name:
                assert family.name.endswith(("_seconds", "_bytes")), family.name
            assert not {"org", "organization", "job", "url", "id"} & set(family.labels), (heading, family.name)


def test_what_is_told_is_what_the_document_names() -> None:
    names = {line.split(" ")[0].split("{")[0] for line in exposition().decode().splitlines() if line[0] != "#"}
    assert names
    assert {name for name in names if not name.startswith("python_")} <= metric_names()


def test_more_jobs_of_more_organizations_are_no_more_series() -> None:
    work(jobs=200, organizations=5)
    few = series()
    work(jobs=2_000, organizations=50)
    assert series() == few
    assert len(few) < 1_500


def test_a_label_that_comes_from_outside_is_folded() -> None:
    assert error_label("input_empty") == "input_empty"
    assert error_label("made up by whoever has published it") == "other"
    api.answered("BREW", "none", 405, 0.001)
    assert not [labels for _, labels in series() if "BREW" in dict(labels).values()]


def test_an_end_is_counted_once_with_its_code() -> None:
    api.begin()
    before = sample("millrace_jobs_ended_total", end="failed", code="input_empty")
    job, events = life(samples.failed(new_job_id(), code="input_empty"))
    api.projected(events, {job.id: job})
    assert sample("millrace_jobs_ended_total", end="failed", code="input_empty") == before + 1


def test_a_delivery_has_a_slot_from_its_beginning_to_its_end() -> None:
    bus.serves("made-up", 3)
    delivery = bus.Delivery(message("made-up", deliveries=2))
    assert (sample("millrace_slots", consumer="made-up"), sample("millrace_slots_busy", consumer="made-up")) == (3, 0)
    delivery.begins()
    assert sample("millrace_slots_busy", consumer="made-up") == 1
    delivery.outcome = "done"
    delivery.over()
    assert sample("millrace_slots_busy", consumer="made-up") == 0
    assert sample("millrace_work_total", consumer="made-up", outcome="done") == 1
    assert sample("millrace_redeliveries_total", consumer="made-up") == 1
    assert sample("millrace_work_seconds_count", consumer="made-up") == 1


def test_work_that_was_put_off_never_had_a_slot() -> None:
    bus.serves("crowded", 1)
    delivery = bus.Delivery(message("crowded"))
    delivery.outcome = "put_off"
    delivery.over()
    assert sample("millrace_slots_busy", consumer="crowded") == 0
    assert sample("millrace_work_wait_seconds_count", consumer="crowded") == 0
    assert sample("millrace_work_total", consumer="crowded", outcome="put_off") == 1


def test_a_replica_that_no_longer_leads_tells_nothing_of_the_whole() -> None:
    api.QUEUE_MESSAGES.labels("transcoder").set(7)
    api.forget()
    assert not [name for name, _ in series() if name == "millrace_queue_messages"]


async def test_metrics_are_on_the_health_port_and_not_among_the_routes_for_everybody() -> None:
    health, port = Health({}), free_port()
    assert "/metrics" not in {route.path for route in health.routes()}
    await health.start("127.0.0.1", port)
    try:
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert "millrace_work_total" in await response.text()
    finally:
        await health.stop()


def work(*, jobs: int, organizations: int) -> None:
    """As much as that leaves in the metrics of all services."""
    api.begin()
    notifier.begin()
    for consumer in ("fetcher", "transcoder", "uploader", "janitor", "notifier", "webhook-attempts"):
        bus.serves(consumer, 2)
    codes = [*ERRORS, "unknown_to_this_version", ""]
    orgs = [new_org_code() for _ in range(organizations)]
    for number in range(jobs):
        org, job, code = orgs[number % organizations], new_job_id(), codes[number % len(codes)]
        failed, cancelled = samples.failed(job, org, code=code), Cancelled(org=org, job=job)
        ended, events = life(failed if number % 2 else (samples.completed(job, org), cancelled)[number // 2 % 2])
        api.projected(events, {job: ended})
        for method in ("GET", "POST", f"M{number}"):
            api.answered(method, ROUTES[number % 3], (200, 201, 404, 429, 503)[number % 5], 0.01)
        delivery = bus.Delivery(message(("transcoder", "uploader")[number % 2], subject=f"jobs.{org}.{job}.x"))
        delivery.begins()
        delivery.outcome = get_args(bus.Outcome)[number % len(get_args(bus.Outcome))]
        delivery.over()
        for verdict in get_args(bus.Verdict):
            bus.failed(code, verdict)
        transcoder.made(("libx264", "aac")[number % 2], seconds=number / 7, media=6)
        outcome = get_args(AttemptOutcome)[number % len(get_args(AttemptOutcome))]
        notifier.attempted(attempt(org, job, outcome))


def life(end: Completed | Failed | Cancelled) -> tuple[Job, list[Recorded]]:
    """A job that has ended, and its first and last event."""
    created = samples.created(end.job, end.org)
    return apply(apply(None, created), end), [Recorded(1, created), Recorded(2, end)]


def attempt(org: str, job: str, outcome: AttemptOutcome) -> DeliveryAttempted:
    return DeliveryAttempted(
        org=org,
        job=job,
        hook=f"hook-of-{org}",
        message_id=f"m-{job}",
        status="queued",
        sequence=1,
        attempt=1,
        outcome=outcome,
        duration_ms=20,
    )


def message(consumer: str, *, deliveries: int = 1, subject: str = "jobs.o.j.admitted") -> Msg:
    """As the server delivers it."""
    now = int(datetime.now(UTC).timestamp() * 1e9)
    return Msg(Client(), subject=subject, reply=f"$JS.ACK.JOBS.{consumer}.{deliveries}.5.5.{now}.0", data=b"{}")


def series() -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """Name and labels of each."""
    return {(one.name, frozenset(one.labels.items())) for metric in REGISTRY.collect() for one in metric.samples}


def sample(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None, (name, labels)
    return value

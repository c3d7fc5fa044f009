"""The usage of an organization over REST: folded from the log, and the same after a rebuild, and after its jobs were pruned."""

import csv
import io
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import nats
import pytest
from nats.aio.client import Client

from services.api.database.pool import Connection
from services.api.projection.projection import apply_events
from services.api.projection.rebuild import rebuild
from services.api.projection.retention import Retention
from shared import events as ev
from shared.bus.joblog import JobLog
from shared.ids import new_job_id
from tests.support.api import ApiProcess, Caller
from tests.support.bus import tell, until
from tests.support.samples import failed, whole_life

DAY = "usage/?from=2024-05-01&to=2024-05-01"
KEEP = timedelta(days=90)


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url) as process:
        yield process


@pytest.fixture
async def caller(api: ApiProcess, request: pytest.FixtureRequest) -> AsyncIterator[Caller]:
    """Each test has an organization of its own."""
    async with Caller(api, api.account(request.node.name[-20:])) as caller:
        yield caller


@pytest.fixture
async def client(nats_url: str, api: ApiProcess) -> AsyncIterator[Client]:
    client = await nats.connect(nats_url)
    yield client
    await client.close()


@pytest.fixture
def log(client: Client) -> JobLog:
    return JobLog(client)


@pytest.fixture
async def database(database_url: str, api: ApiProcess) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def shown(caller: Caller, path: str = DAY) -> Any:
    answer = await caller.call("GET", path)
    assert answer.status == 200, answer.text
    return answer.body


def inherited(event: ev.Event) -> ev.Event:
    """Of a retry that had to make nothing."""
    return event.model_copy(update={"inherited": True}) if isinstance(event, ev.PartTranscoded) else event


async def lived(caller: Caller, log: JobLog) -> list[str]:
    """One job that is completed, one that failed before anything was fetched, its retry, one that was cancelled, one under way."""
    org = caller.account.org
    jobs = [new_job_id() for _ in range(5)]
    done, bad, again, gone, working = jobs
    await tell(log, whole_life(done, org))
    at = whole_life(done, org)[2].at
    await tell(log, [*whole_life(bad, org)[:3], failed(bad, org, at=at)])
    await tell(log, [inherited(event) for event in whole_life(again, org, retry_of=bad)])
    await tell(log, [*whole_life(gone, org)[:1], ev.Cancelled(org=org, job=gone, at=at)])
    await tell(log, whole_life(working, org)[:9])

    async def all_counted() -> bool:
        return bool(sum((await shown(caller))["total"]["jobs"].values()) == 4)

    await until(all_counted)
    return jobs


async def test_it_is_what_the_events_tell(caller: Caller, log: JobLog, api: ApiProcess) -> None:
    await lived(caller, log)
    usage = await shown(caller, "usage/?from=2024-04-30&to=2024-05-01")
    # A film of 12 s in two parts of video and one of sound, each of which has taken 1.5 s; the samples call the sound 480p, too.
    assert usage["total"] == {
        "jobs": {"completed": 2, "error": 1, "cancelled": 1},
        "source_minutes": 0.4,
        "rendition_minutes": 0.3,
        "encode_seconds": 4.5,
        "bytes_in": 2000,
        "bytes_out": 6 * 4711,
    }
    before, day = usage["results"]
    assert (before["period"], day["period"]) == ("2024-04-30", "2024-05-01")
    assert sum(before["jobs"].values()) == before["bytes_out"] == 0
    assert {name: day[name] for name in usage["total"]} == usage["total"]
    by_month = await shown(caller, "usage/?from=2024-04-12&to=2024-05-01&by=month")
    assert [line["period"] for line in by_month["results"]] == ["2024-04", "2024-05"]
    assert by_month["total"] == usage["total"]
    # What ends now counts today.
    assert sum((await shown(caller, "usage/"))["total"]["jobs"].values()) == 0
    job = await caller.created()
    await caller.call("DELETE", f"transcoding_jobs/{job}/")

    async def counted_today() -> bool:
        return bool((await shown(caller, "usage/"))["total"]["jobs"]["cancelled"] == 1)

    await until(counted_today)
    for wrong in ("from=2024-05-02&to=2024-05-01", "from=2022-01-01", "by=week", "page=2"):
        answer = await caller.call("GET", f"usage/?{wrong}")
        assert (answer.status, list(answer.body)) == (400, [wrong.split("=")[0]])
    async with Caller(api, api.account("another one")) as other:
        assert sum((await shown(other))["total"]["jobs"].values()) == 0
        assert (await other.call("GET", f"/api/v1/{caller.account.org}/usage/")).status == 404
    await is_csv_where_asked_for(caller)


async def is_csv_where_asked_for(caller: Caller) -> None:
    for path, accept in ((f"{DAY}&format=csv", "application/json"), (DAY, "text/csv, application/json;q=0.5")):
        text = await caller.call_raw("GET", path, headers={"Accept": accept})
        (row,) = csv.DictReader(io.StringIO(text))
        told = (row["period"], row["jobs_completed"], row["encode_seconds"], row["bytes_in"])
        assert told == ("2024-05-01", "2", "4.5", "2000")
    for path, accept in ((f"{DAY}&format=json", "text/csv"), (DAY, "application/json, text/csv"), (DAY, "*/*")):
        answer = await caller.call("GET", path, headers={"Accept": accept})
        assert answer.body["by"] == "day"


async def test_it_outlives_the_jobs_and_the_rows_of_a_rebuild(
    caller: Caller,
    log: JobLog,
    client: Client,
    database: Connection,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = await lived(caller, log)
    before = await shown(caller)
    # What is said twice counts once.
    for job in jobs:
        await apply_events(database, await log.read(caller.account.org, job))
    assert await shown(caller) == before
    await rebuild(database_url, client, lambda _line: None)
    assert await shown(caller) == before

    # One round is broken off when the log has forgotten the jobs and the tables have not.
    async def die(*_: Any) -> None:
        raise RuntimeError("died")

    retention = Retention(database_url, client, log, keep_jobs=KEEP, ready=lambda: True)
    with monkeypatch.context() as patch:
        patch.setattr(Retention, "_delete_rows", die)
        with pytest.raises(RuntimeError):
            await retention.prune()
    assert await shown(caller) == before
    await rebuild(database_url, client, lambda _line: None)
    assert (await caller.call("GET", f"transcoding_jobs/{jobs[0]}/")).status == 404
    assert await shown(caller) == before

    # And one is not.
    again = new_job_id()
    await tell(log, whole_life(again, caller.account.org))

    async def counted() -> bool:
        return bool((await shown(caller))["total"]["jobs"]["completed"] == 3)

    await until(counted)
    more = await shown(caller)
    for _ in range(2):
        await retention.prune()
        assert await shown(caller) == more
    assert await database.fetchval("select count(*) from jobs where org = $1", caller.account.org) == 1, "under way"
    await rebuild(database_url, client, lambda _line: None)
    await retention.prune()
    assert await shown(caller) == more
    rows = await database.fetch("select pruned, jobs from usage_days where org = $1", caller.account.org)
    assert sum(row["jobs"] for row in rows if row["pruned"]) == 5
    assert sum(row["jobs"] for row in rows if not row["pruned"]) == 0

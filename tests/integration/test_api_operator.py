"""What operators see and do over REST: workers, queues, dead letters; and that nobody else does."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import nats
import pytest
from nats.aio.client import Client

import millrace_client as mc
from services.api.contract import operator_models as models
from services.api.operator import dead_letters
from services.api.operator.dead_letters import DeadLetters, Wanted
from shared.bus.joblog import JobLog
from shared.bus.roster import DrainOrder, Roster, UnderWay, Worker
from shared.bus.subjects import job_subject
from shared.bus.topology import JOBS
from shared.ids import new_job_id
from tests.support.api import Account, ApiProcess, Caller
from tests.support.bus import until
from tests.support.letters import bury

SERVER = "/api/v1/operator/"


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url, max_active_jobs=3) as process:
        yield process


@pytest.fixture(scope="module")
def operator(api: ApiProcess, account: Account) -> Account:
    """An operator, who is no more than a viewer in the customer's organization."""
    token = api.admin("create-token", account.org, "--role", "viewer", "--operator").split()[0]
    return Account(account.org, account.username, token)


@pytest.fixture
async def desk(api: ApiProcess, operator: Account) -> AsyncIterator[Caller]:
    async with Caller(api, operator) as caller:
        yield caller


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    client = await nats.connect(nats_url)
    yield client
    await client.close()


async def test_workers_are_shown_with_what_they_are_at_and_are_drained(desk: Caller, client: Client) -> None:
    now = datetime.now(UTC)
    org, job = desk.account.org, new_job_id()
    works = tuple(
        UnderWay(consumer="transcoder", subject=subject, sequence=1, since=now, delivery=2)
        for subject in (job_subject(org, job, "part_requested.v00012"), "of another version")
    )
    worker = Worker(id="h-1-a", service="transcoder", host="h", pid=1, started=now, slots=4, running=works)
    await Roster(client).write(worker)
    (shown,) = (await desk.call("GET", SERVER + "workers/")).body["results"]
    read = models.Worker.model_validate(shown)
    assert (read.id, read.state, read.slots, read.service) == ("h-1-a", "working", 4, "transcoder")
    assert datetime.now(UTC) - timedelta(minutes=1) < read.seen < datetime.now(UTC) + timedelta(minutes=1)
    assert [(one.organization, one.job, one.part, one.attempt) for one in read.running] == [
        (org, job, "v00012", 2),
        ("", "", None, 2),
    ]
    transcoder = next(one for one in (await queues(desk)) if one.name == "transcoder")
    assert (transcoder.workers, transcoder.slots) == (1, 4)
    drained = await desk.call("POST", SERVER + "workers/h-1-a/drain/", {"stay": True})
    assert (drained.status, drained.body["id"]) == (202, "h-1-a")
    assert await Roster(client).order_for(worker) == DrainOrder(stay=True)
    # No name of a service here, which would be all of its workers.
    assert (await desk.call("POST", SERVER + "workers/transcoder/drain/")).status == 404
    await Roster(client).leave(worker)
    assert (await desk.call("GET", SERVER + "workers/")).body["count"] == 0


async def queues(desk: Caller) -> list[models.Queue]:
    answer = await desk.call("GET", SERVER + "queues/")
    return [models.Queue.model_validate(one) for one in answer.body["results"]]


async def test_queues_are_shown_on_the_way_of_a_job(desk: Caller, caller: Caller) -> None:
    first = await queues(desk)
    assert [one.name for one in first][:4] == ["admission", "fetcher", "transcoder", "uploader"]
    assert (first[0].slots, first[1].workers, first[1].slots) == (3, 0, 0)
    waiting = first[1].waiting
    await caller.created()

    async def fetcher() -> models.Queue | None:
        # Jobs of other tests may be on their way as well, and the log is ahead of the table that admission is read from.
        admission, found = (await queues(desk))[:2]
        return found if found.waiting > waiting and admission.under_way > first[0].under_way else None

    queue = await until(fetcher)
    assert queue.oldest_seconds > 0


async def test_dead_letters_are_listed_read_requeued_and_dropped(
    api: ApiProcess, operator: Account, desk: Caller, client: Client, caller: Caller, log: JobLog
) -> None:
    org, job = desk.account.org, await caller.created()
    subject = job_subject(org, job, "admitted")
    await until(lambda: log.last(subject))
    stored = await client.jetstream().get_last_msg(JOBS, subject)
    work = await bury(client, "fetcher", org, job, subject, stored.data or b"", "an event: update this service")
    odd = await bury(client, "uploader", org, job, subject, b"\xffno JSON", "internal_error: x")
    other = await bury(client, "uploader", "other1", new_job_id(), "x", b"{}", "internal_error: x")
    page = (await desk.call("GET", SERVER + "dead_letters/?page_size=2")).body
    assert (page["count"], [one["id"] for one in page["results"]], page["next"] is None) == (3, [other, odd], False)
    assert models.DeadLetter.model_validate(page["results"][0]).organization == "other1"
    rest = (await desk.call("GET", SERVER + "dead_letters/?page_size=2&page=2")).body
    assert ([one["id"] for one in rest["results"]], rest["next"]) == ([work], None)
    for query, ids in (
        (f"job={job}", [odd, work]),
        (f"organization={org}&service=fetcher", [work]),
        ("service=uploader", [other, odd]),
        ("service=notifier", []),
    ):
        found = (await desk.call("GET", f"{SERVER}dead_letters/?{query}")).body
        assert (found["count"], [one["id"] for one in found["results"]]) == (len(ids), ids)
    for wrong in ("job=*", "page=0", "servic=x", "organization=a.b"):
        assert (await desk.call("GET", f"{SERVER}dead_letters/?{wrong}")).status == 400
    assert (await desk.call("GET", f"{SERVER}dead_letters/?page=3")).status == 404
    assert (await desk.call("GET", f"{SERVER}dead_letters/{work}/")).body["body"]["type"] == "admitted"
    assert "no JSON" in (await desk.call("GET", f"{SERVER}dead_letters/{odd}/")).body["body"]

    refused = await desk.call("POST", f"{SERVER}dead_letters/{odd}/requeue/")
    assert (refused.status, "not an event" in refused.body["detail"]) == (409, True)
    with mc.Millrace(api.url, org, operator.token) as program:
        listed = await asyncio.to_thread(lambda: list(program.server.dead_letters(job=job)))
        assert [letter.id for letter in listed] == [odd, work]
        requeued = await asyncio.to_thread(program.server.requeue, listed[1])
        assert (requeued.message, requeued.job) == ("the work is in line again", None)
        first, *_ = await asyncio.to_thread(lambda: list(program.server.queues()))
        assert first.name == "admission"
    again = await client.jetstream().get_last_msg(JOBS, subject)
    assert int(again.seq or 0) > int(stored.seq or 0)
    for number in (odd, other):
        assert (await desk.call("DELETE", f"{SERVER}dead_letters/{number}/")).status == 204
    assert (await desk.call("GET", f"{SERVER}dead_letters/")).body["count"] == 0
    for gone in (work, odd, 0, "x"):
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "requeue/")):
            assert (await desk.call(method, f"{SERVER}dead_letters/{gone}/{path}")).status == 404


@pytest.mark.usefixtures("api")
async def test_many_dead_letters_are_read_in_windows(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "_WINDOW", 4)
    letters = DeadLetters(client)
    numbers = [await bury(client, f"s{number % 2}", "windo1", "job", "x", b"{}", "x") for number in range(21)]
    for hole in (numbers.pop(20), *(numbers.pop(7) for _ in range(6))):
        found = await letters.find(hole)
        assert found
        await letters.drop([found])
    newest = numbers[::-1]
    assert [one.number for one in await letters.newest(Wanted(), 5)] == newest[:5]
    assert [one.number for one in await letters.newest(Wanted(), 5, 6)] == newest[6:11]
    assert [one.number for one in await letters.newest(Wanted(org="windo1"), 100)] == newest
    even = [number for number in newest if (number - numbers[0]) % 2 == 0]
    assert [one.number for one in await letters.newest(Wanted(service="s0"), 3, 1)] == even[1:4]
    assert await letters.count(Wanted(service="s0")) == len(even)


async def test_an_operator_is_no_more_in_an_organization_than_his_role_there(desk: Caller, api: ApiProcess) -> None:
    assert (await desk.call("GET", "transcoding_jobs/")).status == 200
    assert (await desk.call("POST", "transcoding_jobs/", {})).status == 403
    assert (await desk.call("GET", f"/api/v1/{api.account('stranger').org}/transcoding_jobs/")).status == 404


async def test_an_admin_is_no_operator(caller: Caller) -> None:
    for path in ("workers/", "queues/", "dead_letters/"):
        refused = await caller.call("GET", SERVER + path)
        assert (refused.status, 'needs the role "operator"' in refused.body["detail"]) == (403, True)

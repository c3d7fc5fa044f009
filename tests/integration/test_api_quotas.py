"""Quotas of organizations, over two processes of the api on one database and one bus."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import asyncpg
import pytest

from services.api.accounts.directory import quotas_of
from services.api.contract.responses import Quota
from services.api.database.pool import Connection
from services.api.intake.quotas import JobQuotas
from services.api.projection.projection import apply_events
from shared.events import Recorded
from shared.ids import new_job_id
from tests.support import samples
from tests.support.api import Account, ApiProcess, Caller, job_body
from tests.support.bus import until
from tests.support.encoded import make_fetched, make_plan
from tests.support.schema import new_organization

HOURLY = 12


@pytest.fixture(scope="module")
def apis(nats_url: str, database_url: str) -> Iterator[tuple[ApiProcess, ApiProcess]]:
    settings = {"max_unfinished_jobs": 5, "max_jobs_per_hour": HOURLY, "max_active_jobs": 1}
    with (
        ApiProcess(nats_url=nats_url, database_url=database_url, **settings) as first,
        ApiProcess(nats_url=nats_url, database_url=database_url, **settings) as second,
    ):
        yield first, second


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def test_unfinished_jobs_are_counted_exactly_by_all_processes_together(
    apis: tuple[ApiProcess, ApiProcess],
) -> None:
    account, other = apis[0].account("first"), apis[0].account("second")
    async with AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(Caller(api, account)) for api in apis]
        answers = await asyncio.gather(*(callers[number % 2].create() for number in range(11)))
        assert sorted(answer.status for answer in answers) == [201] * 5 + [429] * 6
        for answer in answers:
            if answer.status == 429:
                assert Quota.model_validate(answer.body)
                assert (answer.body["quota"], answer.body["limit"]) == ("unfinished_jobs", 5)
                assert answer.headers["Retry-After"] == str(answer.body["retry_after"])
        # Nobody else is in the way, and reading goes on.
        stranger = await stack.enter_async_context(Caller(apis[1], other))
        assert (await stranger.create()).status == 201
        listed = await callers[1].call("GET", "transcoding_jobs/")
        assert (listed.status, listed.body["count"]) == (200, 5)
        # A place is free as soon as a job has ended.
        job = listed.body["results"][0]["id"]
        assert (await callers[0].call("DELETE", f"transcoding_jobs/{job}/")).status == 200
        assert [(await callers[1].create()).status for _ in range(2)] == [201, 429]


async def test_a_retry_by_its_key_is_not_counted_and_a_refused_key_is_free(
    apis: tuple[ApiProcess, ApiProcess],
) -> None:
    account = apis[0].account("keys")
    apis[0].admin("set-quotas", account.org, "--unfinished-jobs", "1")
    body, key = job_body(), {"Idempotency-Key": "one"}
    async with Caller(apis[0], account) as caller, Caller(apis[1], account) as elsewhere:
        first = await caller.call("POST", "transcoding_jobs/", body, headers=key)
        refused, other = job_body(), {"Idempotency-Key": "two"}
        assert (await caller.call("POST", "transcoding_jobs/", refused, headers=other)).status == 429
        for _ in range(2):
            again = await elsewhere.call("POST", "transcoding_jobs/", body, headers=key)
            assert (again.status, again.body["id"]) == (201, first.body["id"])
        shown = [line.split() for line in apis[0].admin("set-quotas", account.org).splitlines()]
        assert ["unfinished_jobs", "1", "organization", "1"] in shown
        assert ["jobs_per_hour", str(HOURLY), "setting", "1"] in shown
        await caller.call("DELETE", f"transcoding_jobs/{first.body['id']}/")
        assert (await caller.call("POST", "transcoding_jobs/", refused, headers=other)).status == 201


async def test_jobs_of_an_hour(apis: tuple[ApiProcess, ApiProcess], database: Connection) -> None:
    account = apis[0].account("hourly")
    apis[0].admin("set-quotas", account.org, "--jobs-per-hour", "3", "--unfinished-jobs", "0")
    async with Caller(apis[0], account) as caller, Caller(apis[1], account) as elsewhere:

        async def refused() -> bool:
            # Should the hour end in between, the next one begins with as many.
            answers = [await each.create() for each in (caller, elsewhere, caller, elsewhere)]
            assert answers[-1].status in (201, 429)
            return answers[-1].status == 429

        await until(refused, what="more than in an hour")
        answer = await caller.create()
        assert (answer.body["quota"], answer.body["limit"]) == ("jobs_per_hour", 3)
        assert 1 <= int(answer.headers["Retry-After"]) <= 3600
        await database.execute("update created_jobs set hour = hour - interval '1 hour' where org = $1", account.org)
        assert (await elsewhere.create()).status == 201
        apis[0].admin("set-quotas", account.org, "--jobs-per-hour", "default")
        assert [(await caller.create()).status for _ in range(4)] == [201] * 4


async def test_requests_of_a_minute(apis: tuple[ApiProcess, ApiProcess]) -> None:
    account, other = apis[0].account("talker"), apis[0].account("listener")
    apis[0].admin("set-quotas", account.org, "--requests-per-minute", "4")
    async with Caller(apis[0], account) as caller, Caller(apis[0], other) as stranger:
        answers = await asyncio.gather(*(caller.call("GET", "webhooks/") for _ in range(9)))
        assert sorted(answer.status for answer in answers) == [200] * 4 + [429] * 5
        last = next(answer for answer in answers if answer.status == 429)
        assert (last.body["quota"], last.body["limit"], last.headers["Retry-After"]) == ("requests_per_minute", 4, "15")
        assert (await stranger.call("GET", "webhooks/")).status == 200
        # A path of somebody else counts as any other.
        assert (await caller.call("GET", f"/api/v1/{other.org}/webhooks/")).status == 429
        assert (await caller.call("POST", "/api/auth/logout/")).status == 204


async def test_a_job_costs_the_same_however_many_there_are(connection: Connection) -> None:
    """What is summed stays short without any help of the retention."""
    account = Account("samplo", "x", "0" * 64)
    await connection.execute("insert into organizations (code, name) values ($1, $1)", account.org)
    quotas = JobQuotas(unfinished_jobs=1000, jobs_per_hour=0)
    claim = "insert into output_claims (org, location, job) values ($1, $2, $2)"
    for number in range(450):
        async with connection.transaction():
            await connection.execute(claim, account.org, str(number))
            assert await quotas.count(connection, {account.org: 1}) == {account.org: []}
    summed = "select count(*) as rows, sum(claims)::int as jobs from claim_counts where org = $1"
    ((rows, jobs),) = await connection.fetch(summed, account.org)
    assert (rows <= 201, jobs) == (True, 450)


async def test_sources_of_a_day(connection: Connection) -> None:
    """Counted once, from the events, whoever writes the row; a job that is deleted gives back what it took."""
    org = await new_organization(connection, "sodayo")
    plan = make_plan(frames=25 * 90)

    async def fetched() -> str:
        job = new_job_id()
        source = make_fetched(org, job, plan)
        size = source.source.model_copy(update={"bytes": 1_500_000_000})
        life = [samples.created(job, org), source.model_copy(update={"source": size})]
        first, second = (Recorded(number, event) for number, event in enumerate(life, start=1))
        await apply_events(connection, [first])
        for _ in range(2):
            await apply_events(connection, [second])
        return job

    async def quota(**limits: int) -> str:
        quotas = JobQuotas(0, 0, **limits)
        async with connection.transaction():
            refused = (await quotas.count(connection, {org: 2}))[org]
        assert len(refused) in (0, 2)
        for error in refused:
            assert 1 <= error.retry_after <= 24 * 3600
            return str(error.body["quota"])
        return ""

    jobs = [await fetched() for _ in range(2)]
    assert await quota(source_minutes_per_day=4) == "" == await quota(source_gigabytes_per_day=4)
    assert await quota(source_minutes_per_day=3) == "source_minutes_per_day"
    assert await quota(source_gigabytes_per_day=3) == "source_gigabytes_per_day"
    used = await quotas_of(connection, org)
    assert (used["used_source_minutes_per_day"], used["used_source_gigabytes_per_day"]) == (3, 3)
    await connection.execute("update organizations set max_source_minutes_per_day = 0 where code = $1", org)
    assert await quota(source_minutes_per_day=3) == ""
    await connection.execute("delete from jobs where id = $1", jobs[0])
    assert await quota(source_gigabytes_per_day=3) == ""
    # What was fetched yesterday is over.
    await connection.execute("update source_counts set day = day - 1 where org = $1", org)
    assert await quota(source_gigabytes_per_day=1) == ""


@pytest.mark.parametrize("wrong", ["-1", "many", "1e3", "99999999999"])
def test_what_is_no_quota(apis: tuple[ApiProcess, ApiProcess], wrong: str) -> None:
    with pytest.raises(SystemExit):
        apis[0].admin("set-quotas", "abcdef", "--jobs-per-hour", wrong)


def test_what_is_shown_of_an_organizations_share(apis: tuple[ApiProcess, ApiProcess]) -> None:
    org = apis[0].account("shares").org

    def shown(*arguments: str) -> list[list[str]]:
        lines = [line.split() for line in apis[0].admin("set-quotas", org, *arguments).splitlines()]
        return [line for line in lines if line[0] in ("active_jobs", "weight")]

    usual = [["active_jobs", "4", "setting", "0"], ["weight", "1", "usual", "-"]]
    assert shown() == usual
    given = [["active_jobs", "2", "organization", "0"], ["weight", "2.5", "organization", "-"]]
    assert shown("--active-jobs", "2", "--weight", "2.5") == given
    assert shown("--jobs-per-hour", "9") == given
    assert shown("--active-jobs", "0") == [["active_jobs", "no", "limit", "organization", "0"], given[1]]
    assert shown("--active-jobs", "default", "--weight", "default") == usual


@pytest.mark.parametrize("wrong", ["0", "-1", "101", "0.001", "nan", "1e1"])
def test_what_is_no_weight(apis: tuple[ApiProcess, ApiProcess], wrong: str) -> None:
    with pytest.raises(SystemExit):
        apis[0].admin("set-quotas", "abcdef", "--weight", wrong)

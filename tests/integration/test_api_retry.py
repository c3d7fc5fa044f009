"""Running ended jobs again, over two processes of the api on one database and one bus."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from services.api.contract.responses import Job as ShownJob
from services.api.contract.responses import JobPage
from shared.bus.joblog import JobLog
from shared.bus.vault import Vault
from shared.events import Completed, Created
from shared.sealing import Sealer
from shared.settings import decode_keys
from tests.support.api import SEAL_KEY, Account, Answer, ApiProcess, Caller, job_body
from tests.support.samples import completed, failed

STORAGE = "s3://stored-bucket/?access_key=AKSTORED&secret_key=SKSTORED&region=eu-west-1"
METADATA = b'{ "n" : 1.50e3, "n": [] }'


@pytest.fixture(scope="module")
def apis(nats_url: str, database_url: str) -> Iterator[tuple[ApiProcess, ApiProcess]]:
    with (
        ApiProcess(nats_url=nats_url, database_url=database_url) as first,
        ApiProcess(nats_url=nats_url, database_url=database_url) as second,
    ):
        yield first, second


@pytest.fixture(scope="module")
def api(apis: tuple[ApiProcess, ApiProcess]) -> ApiProcess:
    return apis[0]


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    """A connection that leaves the streams as the api made them."""
    client = await nats.connect(nats_url)
    yield client
    await client.close()


@pytest.fixture
async def elsewhere(apis: tuple[ApiProcess, ApiProcess], account: Account) -> AsyncIterator[Caller]:
    """The customer's requests to the other process."""
    async with Caller(apis[1], account) as caller:
        yield caller


async def ended(caller: Caller, log: JobLog, body: dict[str, Any] | bytes) -> str:
    """A job that has failed. Returns its id."""
    answer = await caller.call("POST", "transcoding_jobs/", body)
    assert answer.status == 201, answer.text
    job = str(answer.body["id"])
    await log.append(failed(job, caller.account.org))
    return job


async def retry(caller: Caller, job: str, body: Any = None, **headers: str) -> Answer:
    return await caller.call("POST", f"transcoding_jobs/{job}/retry/", body, headers=headers)


async def test_a_retry_does_the_same_again(caller: Caller, elsewhere: Caller, log: JobLog, client: Client) -> None:
    body = job_body()
    text = (
        f'{{"input_url": "https://example.com/a.mp4?Signature=one", "output_path": "{body["output_path"]}", '
        f'"resolutions": ["240p"], "priority": "high", "profile": "fast", "client_metadata": '
    ).encode()
    job = await ended(caller, log, text + METADATA + b"}")
    source, output = (
        "https://example.com/a.mp4?Signature=two&Expires=9",
        body["output_path"].replace("AKIDEXAMPLE", "AKNEW"),
    )
    answer = await retry(elsewhere, job, {"input_url": source, "output_path": output})
    assert answer.status == 201, answer.text
    assert ShownJob.model_validate(answer.body)
    again = answer.body["id"]
    assert (answer.body["retry_of"], answer.body["status"]) == (job, "Queued")
    assert METADATA.decode() in answer.text
    location = answer.headers["Location"]
    assert location.endswith(f"/transcoding_jobs/{again}/")
    assert ".." not in location
    shown = await caller.job(again)
    assert (shown["resolutions"], shown["priority"], shown["profile"]) == (["240p"], "high", "fast")
    assert (shown["retry_of"], shown["retried_by"]) == (job, None)
    # The old one stays what it is, and tells who runs it again.
    before = await elsewhere.job(job)
    assert (before["status"], before["retry_of"], before["retried_by"]) == ("Error", None, again)
    page = (await caller.call("GET", "transcoding_jobs/")).body
    assert JobPage.model_validate(page)
    listed = {each["id"]: (each["retry_of"], each["retried_by"]) for each in page["results"]}
    assert (listed[job], listed[again]) == ((None, again), (job, None))
    created = await log.fact(caller.account.org, again, Created)
    assert created
    assert (created.retry_of, created.input_url) == (
        job,
        "https://example.com/a.mp4?Signature=<Signature>&Expires=<Expires>",
    )
    addresses = await Vault(client, Sealer(decode_keys(SecretStr(SEAL_KEY)))).get(caller.account.org, again)
    assert (addresses.input_url, addresses.output_path) == (source, output)


async def test_secrets_have_to_come_again(caller: Caller, log: JobLog) -> None:
    body = job_body() | {"input_url": "https://example.com/a.mp4?Signature=one"}
    job = await ended(caller, log, body)
    answer = await retry(caller, job)
    assert (answer.status, answer.body.keys()) == (400, {"input_url", "output_path"})
    answer = await retry(
        caller, job, {"input_url": body["input_url"], "output_path": (await caller.job(job))["output_path"]}
    )
    assert (answer.status, list(answer.body)) == (400, ["output_path"])
    assert "access_key and secret_key" in answer.body["output_path"][0]
    answer = await retry(caller, job, {"resolution": ["240p"], "priority": None, "output_path": 1})
    assert (answer.status, answer.body.keys()) == (400, {"resolution", "priority", "output_path"})
    answer = await retry(caller, job, body | {"output_path": job_body()["output_path"]})
    assert (answer.status, list(answer.body)) == (400, ["output_path"])
    # All of the first body may come again.
    assert (await retry(caller, job, body)).status == 201


async def test_a_storage_of_the_organization_needs_no_body(api: ApiProcess, log: JobLog) -> None:
    async with Caller(api, api.account("stored", STORAGE)) as caller:
        body = job_body() | {"output_path": "s3://stored-bucket/a/", "input_url": "s3://stored-bucket/in.mp4"}
        job = await ended(caller, log, body)
        answer = await retry(caller, job)
        assert (answer.status, answer.body["retry_of"]) == (201, job)


async def test_only_what_ended_without_success_is_run_again(
    caller: Caller, elsewhere: Caller, log: JobLog, api: ApiProcess
) -> None:
    body = job_body()
    job = await caller.created(**body)
    waiting = await retry(caller, job, body)
    assert (waiting.status, waiting.body["detail"]) == (409, "Job is still queued. Cancel it, or wait for its end.")
    assert (await caller.call("DELETE", f"transcoding_jobs/{job}/")).status == 200
    assert (await retry(elsewhere, job, body)).status == 201
    done = await caller.created()
    await log.append(completed(done, caller.account.org))
    answer = await retry(caller, done, body)
    assert (answer.status, answer.body["detail"].startswith("Job is completed.")) == (409, True)
    assert isinstance((found := await log.end_of(caller.account.org, done)) and found.event, Completed)
    assert (await retry(caller, "5KQfnXCg8Qh", body)).status == 404
    async with Caller(api, api.account("stranger")) as stranger:
        assert (await retry(stranger, job, body)).status == 404


async def test_one_retry_at_a_time(caller: Caller, elsewhere: Caller, log: JobLog) -> None:
    """However many ask at once, on whichever replica; and when it has ended too, either may be run again."""
    body = job_body()
    job = await ended(caller, log, body)
    answers = await asyncio.gather(*(retry(each, job, body) for each in (caller, elsewhere) * 3))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 5
    again = next(answer.body["id"] for answer in answers if answer.status == 201)
    assert all(again in answer.body["detail"] for answer in answers if answer.status == 409)
    # Who creates a job there is told as ever.
    assert list((await caller.call("POST", "transcoding_jobs/", body)).body) == ["output_path"]
    await log.append(failed(again, caller.account.org))
    third = await retry(elsewhere, again, body)
    assert (third.status, third.body["retry_of"]) == (201, again)
    taken = await retry(caller, job, body)
    assert (taken.status, third.body["id"] in taken.body["output_path"][0]) == (400, True)
    await log.append(failed(third.body["id"], caller.account.org))
    fourth = await retry(caller, job, body)
    assert (await caller.job(job))["retried_by"] == fourth.body["id"]
    assert (await caller.job(again))["retried_by"] == third.body["id"]


async def test_what_a_retry_has_completed_is_not_run_again(caller: Caller, log: JobLog) -> None:
    """Nor is what a retry's retry has; only the same request, told by its key, is answered as before."""
    body, key = job_body(), {"Idempotency-Key": "chain"}
    first = await ended(caller, log, body)
    second = (await retry(caller, first, body, **key)).body["id"]
    await log.append(failed(second, caller.account.org))
    third = (await retry(caller, second, body)).body["id"]
    await log.append(completed(third, caller.account.org))
    await caller.until_status(third, "Completed")
    for job in (first, second):
        answer = await retry(caller, job, body)
        assert (answer.status, third in answer.body["detail"]) == (409, True)
    replayed = await retry(caller, first, body, **key)
    assert (replayed.status, replayed.body["id"]) == (201, second)


async def test_with_the_same_key_it_is_the_same_retry(caller: Caller, elsewhere: Caller, log: JobLog) -> None:
    body, other = job_body(), job_body()
    job, second = await ended(caller, log, body), await ended(caller, log, other)
    key = {"Idempotency-Key": "again"}
    first = await retry(caller, job, body, **key)
    repeated = await retry(elsewhere, job, body, **key)
    assert (first.status, repeated.status, repeated.headers["Idempotent-Replayed"]) == (201, 201, "true")
    assert first.body["id"] == repeated.body["id"]
    # The key stands for this retry, not for another one or a new job, though the bodies be the same.
    assert (await retry(caller, second, body | other, **key)).status == 409
    assert (await caller.call("POST", "transcoding_jobs/", body, headers=key)).status == 409
    assert (await retry(caller, job, body | {"priority": "low"}, **key)).status == 409


async def test_a_retry_counts_as_a_job(api: ApiProcess, log: JobLog) -> None:
    account = api.account("counted")
    async with Caller(api, account) as caller:
        body = job_body()
        job = await ended(caller, log, body)
        await caller.until_status(job, "Error")
        await caller.created()
        api.admin("set-quotas", account.org, "--unfinished-jobs", "1")
        refused = await retry(caller, job, body)
        assert (refused.status, refused.body["quota"]) == (429, "unfinished_jobs")

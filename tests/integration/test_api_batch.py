"""Several jobs in one request: all of them or none, on a real NATS and a real Postgres."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from typing import Any

import asyncpg
import nats
import pytest
from nats.aio.client import Client

from services.api.contract.responses import Batch, Cancellations, ItemErrors
from shared.bus.beginnings import Beginnings
from shared.bus.joblog import JobLog
from shared.bus.together import Together, publish_together
from shared.bus.topology import JOBS
from shared.events import Cancelled
from shared.ids import new_job_id
from tests.support.api import Account, ApiProcess, Caller, job_body
from tests.support.samples import created

BATCH = "transcoding_jobs/batch/"


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    # None is admitted, so that what stands in the log is what the requests have brought.
    with ApiProcess(nats_url=nats_url, database_url=database_url, max_active_jobs=1) as process:
        yield process


@pytest.fixture(scope="module")
def account(api: ApiProcess) -> Account:
    return api.account("batches")


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    client = await nats.connect(nats_url)
    yield client
    await client.close()


def bodies(count: int, **members: Any) -> dict[str, list[dict[str, Any]]]:
    return {"jobs": [job_body() | members for _ in range(count)]}


async def jobs_in_the_log(client: Client, org: str) -> int:
    return len(
        (await client.jetstream().stream_info(JOBS, subjects_filter=f"jobs.{org}.*.created")).state.subjects or {}
    )


async def test_a_hundred_jobs_are_there_when_they_are_answered(caller: Caller, client: Client) -> None:
    before = await jobs_in_the_log(client, caller.account.org)
    # As much metadata as a job may have, which makes more than any other request may bring.
    metadata = [f'{{"n": {n}.50, "more": "{10_000 * "x"}"}}' for n in range(100)]
    texts = ", ".join(json.dumps(job_body())[:-1] + f', "client_metadata": {text}}}' for text in metadata)
    answer = await caller.call("POST", BATCH, f'{{"jobs": [{texts}]}}'.encode())
    assert answer.status == 201, answer.text
    assert Batch.model_validate(answer.body)
    shown = [job["id"] for job in answer.body["results"]]
    assert len(set(shown)) == 100
    assert await jobs_in_the_log(client, caller.account.org) == before + 100
    assert f'"client_metadata": {metadata[-1]}' in (await caller.call("GET", f"transcoding_jobs/{shown[-1]}/")).text
    page = (await caller.call("GET", "transcoding_jobs/?page_size=100&ordering=-created&fields=id")).body
    assert {job["id"] for job in page["results"]} == set(shown)
    cancelled = await caller.call("POST", f"{BATCH}cancel/", {"ids": [*shown[1:90], new_job_id(), "x"]})
    assert Cancellations.model_validate(cancelled.body)
    results = cancelled.body["results"]
    assert [one["id"] for one in results][:-2] == shown[1:90]
    assert {one["message"] for one in results[:-2]} == {"Job cancelled successfully."}
    assert [one["detail"] for one in results[-2:]] == ["Not found.", "Not found."]
    again = await caller.call("POST", f"{BATCH}cancel/", {"ids": shown[:2]})
    assert [one["message"] for one in again.body["results"]] == [
        "Job cancelled successfully.", "Job is already cancelled.",
    ]  # fmt: skip


async def test_what_is_wrong_is_told_by_the_place_of_the_job_and_nothing_is_created(
    caller: Caller, client: Client
) -> None:
    before = await jobs_in_the_log(client, caller.account.org)
    taken = job_body()
    assert (await caller.call("POST", "transcoding_jobs/", taken)).status == 201
    wanted = bodies(4)
    wanted["jobs"][1]["resolutions"] = ["999p"]
    wanted["jobs"][3]["shoe"] = 1
    wanted["jobs"].append("job")  # type: ignore[arg-type]
    refused = await caller.call("POST", BATCH, {"jobs": wanted["jobs"][:4]})
    assert refused.status == 400
    assert ItemErrors.model_validate(refused.body)
    found = {item["item_index"]: list(item["errors"]) for item in refused.body["jobs"]}
    assert found == {1: ["resolutions"], 3: ["shoe"]}
    for jobs, place, field in (
        ([job_body(), "job"], 1, "non_field_errors"),
        ([job_body(), taken], 1, "output_path"),
        ([taken, job_body()], 0, "output_path"),
        ([job_body(), job_body() | {"output_path": "s3://bucket/x/"}], 1, "output_path"),
    ):
        refused = await caller.call("POST", BATCH, {"jobs": jobs})
        assert refused.status == 400, refused.text
        assert [(item["item_index"], list(item["errors"])) for item in refused.body["jobs"]] == [(place, [field])]
    twin = job_body()
    refused = await caller.call("POST", BATCH, {"jobs": [twin, job_body(), twin]})
    assert refused.body["jobs"][0]["item_index"] == 2
    assert "Item 0 of this batch" in refused.text
    malformed: list[dict[str, Any]] = [{}, {"jobs": []}, {"jobs": 1}, {"jobs": [{}] * 101}, {"job": []}]
    for body in malformed:
        assert (await caller.call("POST", BATCH, body)).status == 400
    assert (await caller.call("POST", BATCH, b" " * 2_000_000)).status == 413
    assert await jobs_in_the_log(client, caller.account.org) == before + 1
    # What was reserved for the refused ones is free.
    accepted = await caller.call("POST", BATCH, {"jobs": [twin, job_body()]})
    assert accepted.status == 201, accepted.text


async def test_a_batch_that_is_sent_again_with_its_key_is_the_same(caller: Caller, client: Client) -> None:
    body, headers = json.dumps(bodies(5)).encode(), {"Idempotency-Key": "a batch"}
    before = await jobs_in_the_log(client, caller.account.org)
    answers = await asyncio.gather(*(caller.call("POST", BATCH, body, headers=headers) for _ in range(4)))
    assert {answer.status for answer in answers} == {201}, [answer.text for answer in answers]
    assert len({tuple(job["id"] for job in answer.body["results"]) for answer in answers}) == 1
    assert sorted(answer.headers.get("Idempotent-Replayed", "") for answer in answers) == ["", "true", "true", "true"]
    assert await jobs_in_the_log(client, caller.account.org) == before + 5
    assert (await caller.call("POST", BATCH, bodies(5), headers=headers)).status == 409
    # A single job's key is another one.
    assert (await caller.call("POST", "transcoding_jobs/", job_body(), headers=headers)).status == 201


async def test_a_batch_that_was_reserved_and_nothing_more_is_created_when_it_comes_again(
    caller: Caller, client: Client, database_url: str
) -> None:
    body, org = json.dumps(bodies(3)).encode(), caller.account.org
    named = [new_job_id() for _ in range(3)]
    connection = await asyncpg.connect(database_url)
    rows = [(org, f"died\n{number}", sha256(b"batch: " + body).digest(), job) for number, job in enumerate(named)]
    await connection.executemany("insert into idempotency_keys (org, key, body, job) values ($1, $2, $3, $4)", rows)
    await connection.close()
    before = await jobs_in_the_log(client, org)
    for _ in range(2):
        answer = await caller.call("POST", BATCH, body, headers={"Idempotency-Key": "died"})
        assert answer.status == 201, answer.text
        assert [job["id"] for job in answer.body["results"]] == named
        assert answer.headers["Idempotent-Replayed"] == "true"
    assert await jobs_in_the_log(client, org) == before + 3


async def test_an_api_that_dies_in_the_middle_has_accepted_nothing(
    caller: Caller, api: ApiProcess, client: Client
) -> None:
    """The server has all but the last message of the batch, as it has when the process is killed then."""
    org, log = caller.account.org, JobLog(client)
    events = [created(new_job_id(), org) for _ in range(3)]
    headers = {"Nats-Batch-Id": "died"}
    for number, event in enumerate(events[:2], start=1):
        subject = f"jobs.{org}.{event.job}.created"
        await client.publish(
            subject, event.model_dump_json().encode(), headers=headers | {"Nats-Batch-Sequence": str(number)}
        )
    await client.flush()
    assert [await log.read(org, event.job) for event in events] == [[], [], []]
    beginnings = Beginnings(client)
    found = await beginnings.begin_all(events)
    assert found
    stored = [(await log.read(org, event.job))[0] for event in events]
    assert [one.sequence for one in stored] == [one.sequence for one in found]
    # One of them is there already, so that none of the others is stored.
    assert await beginnings.begin_all([created(new_job_id(), org), events[1]]) is None
    late = created(new_job_id(), org)
    await log.append(Cancelled(org=org, job=events[0].job))
    assert await beginnings.begin_all([late, events[0]]) is None
    assert await log.read(org, late.job) == []
    single = await publish_together(client, [Together(f"jobs.{org}.{late.job}.created", b"{}")], seconds=5)
    assert single > stored[-1].sequence


async def test_a_quota_counts_every_job_of_a_batch(api: ApiProcess, client: Client) -> None:
    account = api.account("batches-limited")
    api.admin("set-quotas", account.org, "--unfinished-jobs", "3")
    async with Caller(api, account) as caller:
        refused = await caller.call("POST", BATCH, bodies(4))
        assert (refused.status, refused.body["quota"]) == (429, "unfinished_jobs")
        assert await jobs_in_the_log(client, account.org) == 0
        assert (await caller.call("POST", BATCH, bodies(3))).status == 201


async def test_a_new_content_for_which_two_jobs_want_other_keys_is_refused_and_counts_nothing(api: ApiProcess) -> None:
    account = api.account("batches-contents")
    api.admin("set-quotas", account.org, "--unfinished-jobs", "2")
    content = {"content_id": "8216dcdb90c34a4f8abf1671630a8817"}
    wanted = [job_body() | {"enable_drm": True, "drm": content | {"keys": keys}} for keys in ("shared", "separate")]
    async with Caller(api, account) as caller:
        refused = await caller.call("POST", BATCH, {"jobs": wanted})
        assert refused.status == 400, refused.text
        assert [(item["item_index"], list(item["errors"])) for item in refused.body["jobs"]] == [(1, ["drm"])]
        alike = [item | {"drm": content} for item in wanted]
        assert (await caller.call("POST", BATCH, {"jobs": alike})).status == 201
        assert (await caller.call("POST", "transcoding_jobs/", job_body())).status == 429

"""The operator's commands on a real api, bus and database: what is stuck, what was given up, what is left over."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import nats
import pytest
import structlog
from nats.aio.client import Client
from pydantic import SecretStr

from services.api.accounts.directory import NotPossible
from services.api.database.pool import Database, close_pool, open_pool
from services.api.operator.left_overs import LeftOvers
from shared import events as ev
from shared.bus.joblog import JobLog
from shared.bus.roster import Roster, UnderWay, Worker
from shared.bus.subjects import job_subject, waiting_subject
from shared.bus.topology import (
    ATTEMPTS_BUCKET,
    JOBS,
    PROGRESS,
    QUEUES_BUCKET,
    SECRETS_BUCKET,
    TRANSCODER,
    WEBHOOKS,
)
from shared.ids import new_job_id
from shared.waiting import Waiting
from shared.workspace.shared_folder import SharedFolder
from tests.support.api import Account, ApiProcess, Caller
from tests.support.bus import until
from tests.support.letters import bury
from tests.support.samples import fetched, plan, requested, transcoded

STORAGE = "s3://stored-bucket/?access_key=AKSTORED&secret_key=SKSTORED&region=eu-west-1"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str, space: Path) -> Iterator[ApiProcess]:
    with ApiProcess(
        nats_url=nats_url, database_url=database_url, workspace_url=space.as_uri(), max_active_per_organization=1
    ) as api:
        yield api


@pytest.fixture(autouse=True)
def _captured_logs() -> Iterator[None]:
    # What is printed here is what was asked for.
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def account(api: ApiProcess, request: pytest.FixtureRequest) -> Account:
    return api.account(request.node.name[:60], STORAGE)


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    client = await nats.connect(nats_url)
    yield client
    await client.close()


def listed(api: ApiProcess, *arguments: str) -> list[dict[str, Any]]:
    """What a command prints as JSON."""
    return [json.loads(line) for line in api.admin(*arguments, "--json").splitlines()]


async def admitted(log: JobLog, caller: Caller) -> str:
    """A job that is under way."""
    job = await caller.created()
    await until(lambda: log.last(job_subject(caller.account.org, job, "admitted")))
    return job


def reasons(found: list[dict[str, Any]], job: str) -> list[tuple[str, str | None]]:
    (one,) = [one for one in found if one["job"] == job]
    return [(reason["kind"], reason["work"]) for reason in one["reasons"]]


async def test_stuck_jobs_say_what_they_wait_for(api: ApiProcess, client: Client, log: JobLog, caller: Caller) -> None:
    org = caller.account.org
    job = await admitted(log, caller)
    queued = await caller.created()
    assert listed(api, "stuck-jobs", "--organization", org) == [], "they have just come"
    found = listed(api, "stuck-jobs", "--organization", org, "--seconds", "0")
    assert [(one["job"], one["stage"]) for one in found] == [(job, "queued"), (queued, "queued")]
    assert reasons(found, job) == [("no_worker", "admitted")]
    assert reasons(found, queued) == [("queue", None)]
    assert "1 of 1 jobs of its organization" in found[1]["reasons"][0]["text"]

    encode = plan(3)
    first, second, third = encode.release_order[:3]
    await log.append(ev.Started(org=org, job=job))
    await log.append(fetched(job, org=org, encode=encode))
    places = [
        (await log.append(requested(job, part, encode, org=org))).recorded.sequence for part in (first, second, third)
    ]
    now = datetime.now(UTC)
    work = UnderWay(consumer="transcoder", subject="-", sequence=places[0], since=now - timedelta(seconds=90))
    worker = Worker(id="t1", service="transcoder", host="h", pid=1, started=now, slots=1, running=(work,))
    await Roster(client).write(worker)
    waiting = Waiting(
        code="workspace_unreachable", message="-", service="transcoder", since=now, until=now + timedelta(hours=1)
    )
    await client.jetstream().publish(
        waiting_subject(org, job, f"part_requested.{second}"), waiting.model_dump_json().encode(), stream=PROGRESS
    )
    found = listed(api, "stuck-jobs", "--job", job, "--seconds", "0")
    assert found[0]["stage"] == "transcoding"
    assert reasons(found, job) == [
        ("outage", f"part_requested.{second}"),
        ("working", f"part_requested.{first}"),
        ("in_line", f"part_requested.{third}"),
    ]
    text = api.admin("stuck-jobs", "--job", job, "--seconds", "0")
    assert "worked on by t1 for 1 min 30 s" in text
    assert "workspace_unreachable since" in text
    # One that was taken and handed back, and one that was given up.
    await log.append(transcoded(job, first, org=org))
    subscription = await client.jetstream().pull_subscribe_bind(TRANSCODER.name, JOBS)
    for message in await subscription.fetch(3):
        await message.nak(delay=600)
    subject = job_subject(org, job, f"part_requested.{third}")
    number = await bury(client, "transcoder", org, job, subject, b"{}", "internal_error: boom")
    found = listed(api, "stuck-jobs", "--job", job, "--seconds", "0")
    assert reasons(found, job)[1:] == [
        ("given_up", f"part_requested.{third}"),
        ("no_worker", f"part_transcoded.{first}"),
    ]
    api.admin("drop-dead-letters", str(number))
    found = listed(api, "stuck-jobs", "--job", job, "--seconds", "0")
    assert ("again", f"part_requested.{third}") in reasons(found, job)
    rows = listed(api, "workers")
    assert [(row["id"], len(row["running"])) for row in rows] == [("t1", 1)]
    assert "working" in api.admin("workers")
    await Roster(client).leave(worker)


async def test_work_of_an_unfinished_job_is_put_before_its_consumers_again(
    api: ApiProcess, client: Client, log: JobLog, caller: Caller
) -> None:
    org = caller.account.org
    job = await admitted(log, caller)
    subject = job_subject(org, job, "admitted")
    stored = await client.jetstream().get_last_msg(JOBS, subject)
    number = await bury(client, "fetcher", org, job, subject, stored.data or b"", "an event: update this service")
    (letter,) = listed(api, "dead-letters", "--job", job)
    assert (letter["number"], letter["service"], letter["org"], letter["message"]) == (number, "fetcher", org, subject)
    assert letter["reason"] == "an event: update this service"
    assert listed(api, "show-dead-letter", str(number))[0]["body"]["type"] == "admitted"
    assert "reason: an event" in api.admin("show-dead-letter", str(number))
    before = await caller.job(job)

    assert api.admin("replay-dead-letters", str(number)) == f"{number}: the work is in line again\n"
    again = await client.jetstream().get_last_msg(JOBS, subject)
    assert int(again.seq or 0) > int(stored.seq or 0)
    assert again.data == stored.data
    assert listed(api, "dead-letters", "--job", job) == []
    # The log says the same as before.
    assert [one.event.token() for one in await log.read(org, job)] == ["created", "admitted"]
    assert await caller.job(job) == before

    # Not twice: what is done by now, or belongs nowhere, is refused, and stays.
    encode = plan(1)
    await log.append(fetched(job, org=org, encode=encode))
    done = await bury(client, "fetcher", org, job, subject, stored.data or b"", "x")
    odd = await bury(client, "fetcher", org, job, subject, b'{"type": "later", "v": 9}', "x")
    with pytest.raises(NotPossible, match="2 of 2 were not replayed"):
        api.admin("replay-dead-letters", str(done), str(odd))
    assert [letter["number"] for letter in listed(api, "dead-letters", "--job", job)] == [odd, done]
    assert api.admin("drop-dead-letters", "--job", job) == "2 dropped\n"
    assert listed(api, "dead-letters", "--organization", org) == []
    with pytest.raises(NotPossible, match=f"there is no dead letter {done}"):
        api.admin("show-dead-letter", str(done))


async def test_an_ended_job_is_run_again_where_no_secret_is_missing(
    api: ApiProcess, client: Client, log: JobLog, caller: Caller
) -> None:
    org = caller.account.org
    job = await admitted_to(log, caller, "s3://stored-bucket/again/")
    secret = await caller.created()
    numbers = []
    for one in (job, secret):
        await log.append(ev.Failed(org=org, job=one, code="internal_error", message="x"))
        subject = job_subject(org, one, "admitted")
        body = ev.Admitted(org=org, job=one).model_dump_json().encode()
        numbers.append(await bury(client, "fetcher", org, one, subject, body, "internal_error: x"))
    with pytest.raises(NotPossible, match="1 of 2 were not replayed"):
        api.admin("replay-dead-letters", *map(str, numbers))
    (left,) = listed(api, "dead-letters", "--organization", org)
    assert left["job"] == secret

    async def retried() -> Any:
        return (await caller.job(job)).get("retried_by")

    again = await until(retried)
    assert (await caller.job(again))["retry_of"] == job


async def admitted_to(log: JobLog, caller: Caller, output_path: str) -> str:
    """A job under way whose credentials are its organization's."""
    job = await caller.created(output_path=output_path)
    await until(lambda: log.last(job_subject(caller.account.org, job, "admitted")))
    return job


async def test_what_webhooks_were_to_be_told_they_are_told(
    api: ApiProcess, client: Client, log: JobLog, caller: Caller
) -> None:
    org = caller.account.org
    hook = (await caller.call("POST", "webhooks/", {"url": "https://example.com/hook"})).body["id"]
    job = await admitted(log, caller)
    event = await log.last(job_subject(org, job, "created"))
    assert event
    attempt = f"webhooks.attempt.{org}.{job}.{hook}.transcoding"
    numbers = [
        await bury(
            client,
            "notifier",
            org,
            job,
            job_subject(org, job, "created"),
            event.event.model_dump_json().encode(),
            "credentials_lost: x",
        ),
        await bury(client, "notifier", org, job, attempt, b'{"x": 1}', "internal_error: x"),
    ]
    rows = listed(api, "replay-dead-letters", *map(str, numbers))
    assert [(row["replayed"], row["what"]) for row in rows] == [
        (True, "1 webhooks are told that the job is queued"),
        (True, "the attempt is in line again"),
    ]
    told = await client.jetstream().get_last_msg(WEBHOOKS, f"webhooks.attempt.{org}.{job}.{hook}.queued")
    assert json.loads(told.data or b"")["sequence"] == event.sequence
    assert (await client.jetstream().get_last_msg(WEBHOOKS, attempt)).data == b'{"x": 1}'


async def test_what_belongs_to_no_job_is_found_and_removed_and_nothing_else(
    api: ApiProcess, client: Client, log: JobLog, caller: Caller, space: Path, database_url: str
) -> None:
    org, js = caller.account.org, client.jetstream()
    job, ended, never = await admitted(log, caller), await caller.created(), new_job_id()
    await log.append(
        ev.Failed(org=org, job=ended, code="internal_error", message="x", at=datetime.now(UTC) - timedelta(hours=1))
    )
    for one in (job, ended, never):
        (space / org / one / "source").mkdir(parents=True)
    connection = await asyncpg.connect(database_url)
    try:
        for one in (job, never):
            for age in ("1 hour", "1 minute"):
                await connection.execute(
                    "insert into idempotency_keys (org, key, body, job, created) values ($1, $2, '', $3, now() - $4::text::interval)",
                    org,
                    f"{one}-{age}",
                    one,
                    age,
                )
            await connection.execute(
                "insert into progress_shown (job, percent) values ($1, 1) on conflict do nothing", one
            )
        await connection.execute(
            "insert into output_claims (org, location, job, claimed) values ($1, 'x', $2, now() - interval '1 hour')",
            org,
            never,
        )
        for bucket, key in (
            (SECRETS_BUCKET, f"{org}.{never}"),
            (QUEUES_BUCKET, f"{org}.{never}"),
        ):
            await (await js.key_value(bucket)).put(key, b"{}")
        text = json.dumps({"subject": job_subject(org, never, "admitted")}).encode()
        await (await js.key_value(ATTEMPTS_BUCKET)).put("fetcher.999999", text)

        mine = [row for row in listed(api, "left-overs") if row["job"] in (job, ended, never)]
        expected = [
            ("files", f"{org}/{ended}", "the job has ended"),
            ("files", f"{org}/{never}", "no such job"),
            ("output claim", "x", "no such job"),
            ("idempotency key", f"{never}-1 hour", "no such job"),
            ("progress", never, "no such job"),
        ]
        assert sorted((row["kind"], row["place"], row["why"]) for row in mine) == sorted(expected)
        # What has just been written may belong to a request under way.
        assert "removed" in api.admin("left-overs", "--remove")
        assert [row for row in listed(api, "left-overs") if row["job"] in (job, ended, never)] == []
        assert [path.name for path in (space / org).iterdir()] == [job]
        keys = await connection.fetch("select key from idempotency_keys where org = $1 order by key", org)
        assert sorted(row["key"] for row in keys) == sorted([f"{job}-1 hour", f"{job}-1 minute", f"{never}-1 minute"])
        assert await connection.fetchval("select count(*) from output_claims where org = $1 and job = $2", org, job)
    finally:
        await connection.close()
    pool = await open_pool(SecretStr(database_url), 1)
    try:
        things = LeftOvers(client, Database(pool), log, SharedFolder(space.as_uri()), age=timedelta())
        found = [one for one in await things.find() if one.job in (job, never)]
        assert {(one.kind, one.place) for one in found if one.kind != "idempotency key"} == {
            ("credentials", f"{org}.{never}"),
            ("delivery queue", f"{org}.{never}"),
            ("attempts", "fetcher.999999"),
        }
        for left in found:
            await things.remove(left)
        assert [one for one in await things.find() if one.job in (job, never)] == []
    finally:
        await close_pool(pool)

"""Webhooks over HTTP, the list that the notifier gets, their deliveries, and sending one again."""

import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import nats
import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from services.api.contract.responses import Delivery, DeliveryDetail, RotatedWebhook
from shared.bus.joblog import JobLog
from shared.bus.topology import DELIVERIES, HOOKS_BUCKET, WEBHOOKS
from shared.deliveries import DeliveryAttempted, WebhookAttempt
from shared.events import Created
from shared.sealing import Sealer
from shared.settings import decode_keys
from tests.support.api import SEAL_KEY, Account, ApiProcess, Caller
from tests.support.bus import until

HEAD = {"headers": [{"name": "Server", "value": "x"}], "body": "No\0 é", "truncated": False}
ENABLED = {"enabled": True, "previous_secret_token": None, "previous_until": None}
SEALER = Sealer(decode_keys(SecretStr(SEAL_KEY)))


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url) as process:
        yield process


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    client = await nats.connect(nats_url)
    yield client
    await client.close()


@pytest.fixture
async def caller(api: ApiProcess) -> AsyncIterator[Caller]:
    async with Caller(api, api.account(f"user-{uuid4()}")) as caller:
        yield caller


async def told(client: Client, org: str) -> list[dict[str, Any]]:
    bucket = await client.jetstream().key_value(HOOKS_BUCKET)
    entry = await bucket.get(org)
    hooks: list[dict[str, Any]] = json.loads(SEALER.open(entry.value or b"", f"hooks of {org}"))
    assert b"example.com" not in (entry.value or b"")
    return hooks


async def register(caller: Caller, **members: str) -> Any:
    answer = await caller.call("POST", "webhooks/", {"url": "https://example.com/hook"} | members)
    assert answer.status == 201, answer.text
    return answer.body


async def test_register_read_replace_remove(caller: Caller, client: Client) -> None:
    org = caller.account.org
    hook = await register(caller)
    assert set(hook) == {"id", "url", "secret_token"}
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{40}", hook["secret_token"])
    assert (await caller.call("GET", f"webhooks/{hook['id']}/")).body == hook
    assert await told(client, org) == [hook | ENABLED]
    replaced = await caller.call("PUT", f"webhooks/{hook['id']}/", {"url": "http://example.com/other"})
    assert (replaced.status, replaced.body) == (200, hook | {"url": "http://example.com/other"})
    replaced = await caller.call(
        "PUT", f"webhooks/{hook['id']}/", {"url": "http://example.com/other", "secret_token": "mine"}
    )
    assert replaced.body == {"id": hook["id"], "url": "http://example.com/other", "secret_token": "mine"}
    assert await told(client, org) == [replaced.body | ENABLED]
    removed = await caller.call("DELETE", f"webhooks/{hook['id']}/")
    assert (removed.status, removed.text) == (204, "")
    assert await told(client, org) == []
    for method, body in (("GET", None), ("PUT", {"url": "http://example.com"}), ("DELETE", None)):
        answer = await caller.call(method, f"webhooks/{hook['id']}/", body)
        assert (answer.status, answer.body) == (404, {"detail": "Not found."})


async def test_the_list_is_a_page(caller: Caller) -> None:
    hooks = [await register(caller, secret_token=f"secret-{number}") for number in range(3)]
    page = (await caller.call("GET", "webhooks/?page_size=2")).body
    assert (page["count"], page["previous"], page["results"]) == (3, None, hooks[:2])
    assert page["next"].endswith("/webhooks/?page_size=2&page=2")
    assert (await caller.call("GET", "webhooks/?page_size=2&page=2")).body["results"] == hooks[2:]
    assert list((await caller.call("GET", "webhooks/?status=queued")).body) == ["status"]


async def test_mistakes_are_told(caller: Caller) -> None:
    assert (await caller.call("POST", "webhooks/", {"URL": "https://example.com"})).body == {
        "URL": ['Unknown field. Did you mean "url"?'],
        "url": ["This field is required."],
    }
    assert (await caller.call("POST", "webhooks/", {"url": "example.com"})).status == 400
    assert (await caller.call("GET", "webhooks/1/")).status == 404


async def test_another_organizations_webhook_does_not_exist(caller: Caller, api: ApiProcess) -> None:
    hook = await register(caller)
    async with Caller(api, api.account(f"user-{uuid4()}")) as other:
        for path in (f"webhooks/{hook['id']}/", f"webhooks/{hook['id']}/deliveries/"):
            assert (await other.call("GET", path)).status == 404
        assert (await other.call("DELETE", f"webhooks/{hook['id']}/")).status == 404
        assert (await other.call("GET", "webhooks/")).body["count"] == 0


async def attempted(client: Client, account: Account, job: str, hook: str, **members: Any) -> int:
    """Say on the bus what the notifier would say of an attempt; its place in the stream."""
    attempt = WebhookAttempt(org=account.org, job=job, hook=hook, status="queued", sequence=1)
    fact = DeliveryAttempted.model_validate(
        attempt.model_dump(include={"org", "job", "hook", "status", "sequence", "attempt"})
        | {"message_id": attempt.message_id, "outcome": "delivered", "response_status": 200, "duration_ms": 12}
        | members
    )
    ack = await client.jetstream().publish(fact.subject, fact.model_dump_json().encode(), stream=DELIVERIES)
    return int(ack.seq)


async def test_deliveries_are_listed_and_sent_again(caller: Caller, client: Client) -> None:
    hook, account = await register(caller), caller.account
    job = await caller.created()
    path = f"webhooks/{hook['id']}/deliveries/"
    assert (await caller.call("GET", path)).body["results"] == []
    failed = await attempted(
        client, account, job, hook["id"], outcome="failed", response_status=500, error="HTTP 500", response=HEAD
    )
    delivered = await attempted(client, account, job, hook["id"], attempt=2)

    async def both() -> Any:
        page = (await caller.call("GET", path)).body
        return page if page["count"] == 2 else None

    page = await until(both, what="deliveries in the list")
    assert [item["id"] for item in page["results"]] == [delivered, failed]
    for item in page["results"]:
        assert Delivery.model_validate(item)
        assert item["at"].endswith("Z")
    assert page["results"][1] | {"at": ""} == {
        "id": failed, "job": job, "status": "queued", "attempt": 1, "at": "", "outcome": "failed", "response_status": 500,
        "error": "HTTP 500", "duration_ms": 12, "next_attempt_at": None, "message_id": f"msg_{job}_queued_{hook['id']}", "test": False,
    }  # fmt: skip

    for item in page["results"]:
        detail = await caller.call("GET", f"{path}{item['id']}/")
        assert DeliveryDetail.model_validate(detail.body)
        # One that an older notifier has recorded tells nothing of the answer.
        response = HEAD if item["id"] == failed else None
        assert detail.body == item | {"response": response, "request_body": detail.body["request_body"]}
        assert json.loads(detail.body["request_body"]) == await caller.job(job) | {
            "status": "queued",
            "queue_position": None,
        }

    answer = await caller.call("POST", f"{path}{failed}/redeliver/")
    assert answer.status == 202
    message = await client.jetstream().get_last_msg(WEBHOOKS, f"webhooks.attempt.{account.org}.{job}.>")
    attempt = WebhookAttempt.model_validate_json(message.data or b"")
    event = await JobLog(client).last(f"jobs.{account.org}.{job}.created")
    assert event and isinstance(event.event, Created)
    assert (attempt.hook, attempt.status, attempt.sequence, attempt.attempt) == (
        hook["id"],
        "queued",
        event.sequence,
        1,
    )
    assert attempt.redelivery
    assert answer.body["message_id"] == attempt.message_id
    for wrong in ("0", "x", "9" * 30, str(delivered + 1)):
        assert (await caller.call("POST", f"{path}{wrong}/redeliver/")).status == 404
        assert (await caller.call("GET", f"{path}{wrong}/")).status == 404
    other_hook = await register(caller)
    assert (await caller.call("POST", f"webhooks/{other_hook['id']}/deliveries/{failed}/redeliver/")).status == 404
    assert (await caller.call("GET", f"webhooks/{other_hook['id']}/deliveries/{failed}/")).status == 404


async def test_a_webhook_is_tried_with_a_sample_job(caller: Caller, client: Client) -> None:
    hook, account = await register(caller), caller.account
    path = f"webhooks/{hook['id']}/deliveries/"
    queued = await caller.call("POST", f"webhooks/{hook['id']}/test/")
    assert queued.status == 202
    message = await client.jetstream().get_last_msg(WEBHOOKS, f"webhooks.attempt.{account.org}.>")
    attempt = WebhookAttempt.model_validate_json(message.data or b"")
    assert (attempt.hook, attempt.status, attempt.test) == (hook["id"], "queued", True)
    assert attempt.redelivery
    assert queued.body == {"message": "A test is queued to be sent.", "message_id": attempt.message_id}
    assert (await caller.call("GET", f"transcoding_jobs/{attempt.job}/")).status == 404

    number = await attempted(
        client, account, attempt.job, hook["id"], sequence=0, message_id=attempt.message_id, test=True
    )

    async def listed() -> Any:
        results = (await caller.call("GET", path)).body["results"]
        return results[0] if results else None

    item = await until(listed, what="the test in the list")
    assert (item["id"], item["test"], item["message_id"]) == (number, True, attempt.message_id)
    sent = json.loads((await caller.call("GET", f"{path}{number}/")).body["request_body"])
    assert (sent["id"], sent["status"], sent["client_metadata"]) == (attempt.job, "queued", {"test": True})

    again = await caller.call("POST", f"{path}{number}/redeliver/")
    message = await client.jetstream().get_last_msg(WEBHOOKS, f"webhooks.attempt.{account.org}.>")
    repeated = WebhookAttempt.model_validate_json(message.data or b"")
    assert (again.status, again.body["message_id"]) == (202, repeated.message_id)
    assert (repeated.job, repeated.test) == (attempt.job, True)
    assert (await caller.call("POST", f"webhooks/{uuid4()}/test/")).status == 404


async def test_deliveries_are_filtered_by_job_and_outcome(caller: Caller, client: Client) -> None:
    hook, account = await register(caller), caller.account
    one, other = [await caller.created() for _ in range(2)]
    wanted = [(one, "failed"), (one, "delivered"), (other, "failed"), (other, "gave_up")]
    made = {
        (job, outcome): await attempted(client, account, job, hook["id"], outcome=outcome) for job, outcome in wanted
    }
    path = f"webhooks/{hook['id']}/deliveries/"

    async def ids(query: str = "") -> list[int]:
        page = (await caller.call("GET", path + query)).body
        assert page["count"] == len(page["results"])
        return [item["id"] for item in page["results"]]

    async def all_of_them() -> bool:
        # While they come, the count may be of a moment before.
        page = (await caller.call("GET", path)).body
        return bool(page["count"] == len(page["results"]) == len(wanted))

    await until(all_of_them, what="deliveries in the list")
    assert await ids(f"?job={one}") == [made[one, "delivered"], made[one, "failed"]]
    assert await ids("?outcome=failed") == [made[other, "failed"], made[one, "failed"]]
    assert await ids(f"?job={other}&outcome=failed&outcome=gave_up") == [made[other, "gave_up"], made[other, "failed"]]
    assert await ids("?outcome=disabled") == []
    wrong = await caller.call("GET", path + "?outcome=lost&job=x")
    assert (wrong.status, set(wrong.body)) == (400, {"job", "outcome"})
    assert "gave_up" in wrong.body["outcome"][1]


async def test_a_secret_is_rotated_without_a_gap(caller: Caller, client: Client, api: ApiProcess) -> None:
    hook, org = await register(caller), caller.account.org
    path = f"webhooks/{hook['id']}/"
    rotated = await caller.call("POST", path + "rotate/")
    assert rotated.status == 200
    assert RotatedWebhook.model_validate(rotated.body)
    assert rotated.body["secret_token"] not in ("", hook["secret_token"])
    until_then = datetime.fromisoformat(rotated.body["previous_secret_expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23) < until_then < timedelta(hours=25)
    (listed,) = await told(client, org)
    assert (listed["secret_token"], listed["previous_secret_token"]) == (
        rotated.body["secret_token"],
        hook["secret_token"],
    )
    assert (await caller.call("GET", path)).body["secret_token"] == rotated.body["secret_token"]

    # A new address changes neither; a secret that is set otherwise ends the one of before.
    await caller.call("PUT", path, {"url": "https://example.com/other"})
    assert (await told(client, org))[0]["previous_secret_token"] == hook["secret_token"]
    await caller.call("PUT", path, {"url": "https://example.com/other", "secret_token": "set"})
    assert (await told(client, org))[0]["previous_secret_token"] is None

    mine = await caller.call("POST", path + "rotate/", {"secret_token": "mine", "overlap_seconds": 1})
    assert mine.body["secret_token"] == "mine"
    again = await caller.call("POST", path + "rotate/", {"secret_token": "mine"})
    assert (again.status, list(again.body)) == (400, ["secret_token"])
    leaked = await caller.call("POST", path + "rotate/", {"overlap_seconds": 0})
    assert leaked.body["previous_secret_expires_at"] is None
    assert (await told(client, org))[0]["previous_secret_token"] is None
    for wrong in ({"overlap_seconds": -1}, {"overlap_seconds": 10**9}, {"secret_token": ""}, {"secret": "x"}):
        assert (await caller.call("POST", path + "rotate/", wrong)).status == 400
    assert (await caller.call("POST", f"webhooks/{uuid4()}/rotate/")).status == 404


async def test_a_secret_of_before_is_forgotten_when_its_time_is_over(
    caller: Caller, client: Client, api: ApiProcess, database_url: str
) -> None:
    hook, org = await register(caller), caller.account.org
    await caller.call("POST", f"webhooks/{hook['id']}/rotate/", {"overlap_seconds": 1})
    database = await asyncpg.connect(database_url)
    try:

        async def over() -> bool:
            return bool(await database.fetchval("select previous_until <= now() from webhooks where org = $1", org))

        await until(over, what="the end of the overlap")
        # It is looked for at each start, and every hour.
        api.stop()
        api.start()

        async def forgotten() -> bool:
            kept = await database.fetchval("select previous_secret from webhooks where org = $1", org)
            return kept is None and (await told(client, org))[0]["previous_secret_token"] is None

        await until(forgotten, what="the secret of before is forgotten")
    finally:
        await database.close()


async def test_a_webhook_that_is_gone_is_disabled_until_it_is_replaced(caller: Caller, client: Client) -> None:
    hook = await register(caller)
    job = await caller.created()
    await attempted(client, caller.account, job, hook["id"], outcome="disabled", response_status=410)

    async def enabled() -> bool:
        return bool((await told(client, caller.account.org))[0]["enabled"])

    async def disabled() -> bool:
        return not await enabled()

    await until(disabled, what="the notifier is told that the hook is disabled")
    await caller.call("PUT", f"webhooks/{hook['id']}/", {"url": "https://example.com/new"})
    assert await enabled()


async def test_a_start_mends_what_the_notifier_is_told(caller: Caller, client: Client, api: ApiProcess) -> None:
    hook = await register(caller)
    bucket = await client.jetstream().key_value(HOOKS_BUCKET)
    await bucket.delete(caller.account.org)
    api.stop()
    api.start()
    assert [item["id"] for item in await told(client, caller.account.org)] == [hook["id"]]


async def test_a_key_that_is_gone_costs_the_secrets_and_nothing_else(
    caller: Caller, api: ApiProcess, client: Client
) -> None:
    hook = await register(caller)
    changed = {name: value for name, value in api._settings.items() if name not in ("seal_keys", "port", "health_port")}
    key = base64.b64encode(b"n" * 32).decode()
    with ApiProcess(**changed, seal_keys=key) as other:  # type: ignore[arg-type]
        async with Caller(other, caller.account) as late:
            assert (await late.call("GET", "webhooks/")).body["results"] == [hook | {"secret_token": ""}]
            answer = await late.call("PUT", f"webhooks/{hook['id']}/", {"url": hook["url"], "secret_token": "new"})
            assert answer.body["secret_token"] == "new"
            assert (await late.create()).status == 201

"""One notifier process on a real NATS: what receivers get, in which order, and what is written down about it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from time import time

import nats
import pytest

from millrace_client import verify
from shared.bus.joblog import JobLog
from shared.job import Job, apply
from shared.payload import job_json
from tests.support.notifier import NotifierProcess, Scene, new_hook
from tests.support.ports import free_port
from tests.support.receiver import Reply, WebhookPayload, WebhookReceiver
from tests.support.servers import nats_server

ALL = ["queued", "transcoding", "completed"]


@pytest.fixture(scope="module")
def notifier(nats_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NotifierProcess]:
    with NotifierProcess(nats_url, tmp_path_factory.mktemp("notifier")) as process:
        yield process


@pytest.fixture
async def scene(nats_url: str, notifier: NotifierProcess) -> AsyncIterator[Scene]:
    client = await nats.connect(nats_url)
    scene = await Scene.open(client)
    await notifier.wait_until_ready()
    yield scene
    await client.close()


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        yield receiver


async def payload_at(log: JobLog, org: str, job: str, status: str) -> bytes:
    state: Job | None = None
    for item in await log.read(org, job):
        state = apply(state, item.event)
        if state.status == status:
            break
    assert state
    return job_json(state, "webhook").encode()


async def test_every_status_is_told_in_order_once(scene: Scene, receiver: WebhookReceiver) -> None:
    await scene.set_hooks(new_hook(receiver.url + "/hook?a=1"))
    job = await scene.run_through()
    payloads = await receiver.wait_for(3)
    assert [payload.status for payload in payloads] == ALL
    assert {payload.path for payload in payloads} == {"/hook?a=1"}
    facts = await scene.wait_for_deliveries(3, job=job)
    assert [(fact.status, fact.outcome, fact.attempt, fact.response_status) for fact in facts] == [
        (status, "delivered", 1, 200) for status in ALL
    ]
    assert all(fact.next_attempt_at is None and fact.error is None for fact in facts)
    await scene.wait_until_nothing_waits()
    assert receiver.told(job) == ALL


async def test_that_a_job_can_be_played_is_told_once_between_its_states(
    scene: Scene, receiver: WebhookReceiver
) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    jobs = [await scene.create(early_playback=True) for _ in range(4)]
    for job in jobs:
        await scene.start(job)
        await scene.play(job)
    for job in jobs[:2]:
        await scene.complete(job)
    for job in jobs[2:]:
        await scene.fail(job)
    payloads = await receiver.wait_for(16)
    for job, end in zip(jobs, ["completed", "completed", "error", "error"], strict=True):
        told = [payload for payload in payloads if payload.job["id"] == job]
        events = [payload.headers["x-streams-event"] for payload in told]
        assert events == [f"transcoding_job.{each}" for each in ("queued", "transcoding", "playable", end)]
        assert [bool(payload.job["playable_at"]) for payload in told] == [False, False, True, True]
        assert told[2].job["status"] == "transcoding"
        facts = await scene.wait_for_deliveries(4, job=job)
        assert [fact.status for fact in facts] == ["queued", "transcoding", "playable", end]


async def test_headers_and_signature_are_those_of_the_contract(scene: Scene, receiver: WebhookReceiver) -> None:
    key = b"0123456789abcdef0123456789abcdef"
    await scene.set_hooks(
        new_hook(receiver.url + "/plain", number=1, secret_token="s3crèt"),
        new_hook(receiver.url + "/standard", number=2, secret_token="whsec_" + base64.b64encode(key).decode()),
    )
    await scene.create()
    payloads = {payload.path: payload for payload in await receiver.wait_for(2)}
    for payload in payloads.values():
        assert payload.headers["Content-Type"] == "application/json"
        assert payload.headers["User-Agent"] == "Millrace"
        assert payload.headers["x-streams-event"] == "transcoding_job.queued"
    assert payloads["/plain"].is_signed_with("s3crèt".encode())
    assert payloads["/standard"].is_signed_with(key)
    assert payloads["/standard"].headers["x-streams-token"] == "whsec_" + base64.b64encode(key).decode()
    assert payloads["/plain"].message_id != payloads["/standard"].message_id


async def test_after_a_rotation_both_secrets_sign_until_the_time_of_the_old_one_is_over(
    scene: Scene, receiver: WebhookReceiver
) -> None:
    receiver.decide = lambda payload: Reply(
        500, {"X-Echo": "of-before"}, body=f"{payload.headers['x-streams-token']} of-before"
    )
    soon = datetime.now(UTC) + timedelta(hours=1)
    fresh = new_hook(receiver.url, secret_token="n3w-secret")
    both = fresh.model_copy(update={"previous_secret_token": "of-before", "previous_until": soon})
    await scene.set_hooks(both)
    job = await scene.try_hook(both, "both")
    (fact,) = await scene.wait_for_deliveries(1, job=job)
    await scene.set_hooks(both.model_copy(update={"previous_until": soon - timedelta(hours=2)}))
    job = await scene.try_hook(both, "new-alone")
    await scene.wait_for_deliveries(1, job=job)
    first, second = receiver.payloads
    assert first.headers["webhook-signature"].count("v1,") == 2
    assert first.is_signed_with(b"n3w-secret")
    assert first.is_signed_with(b"of-before")
    assert verify({**first.headers}, first.body, secret="of-before").event == "webhook.test"
    assert first.headers["x-streams-token"] == "n3w-secret"
    assert second.is_signed_with(b"n3w-secret")
    assert not second.is_signed_with(b"of-before")
    # A receiver that repeats a secret, new or old, does not bring it into the record.
    assert fact.response
    assert "of-before" not in fact.response.model_dump_json()
    assert "n3w-secret" not in fact.response.model_dump_json()


async def test_the_payload_is_what_get_says_byte_for_byte(scene: Scene, receiver: WebhookReceiver) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    metadata = '{"b": 1.50, "a": "\\u00e9 é 😀", "n": 1e3}'
    job = await scene.create(client_metadata=metadata)
    await scene.start(job)
    await scene.fail(job)
    for payload in await receiver.wait_for(3):
        assert payload.body == await payload_at(scene.log, scene.org, job, payload.status)
        assert metadata.encode() in payload.body
    error = receiver.payloads[-1].job
    assert (error["status"], error["error_code"], error["stage"]) == ("error", "input_empty", "done")


async def test_a_cancelled_job_that_never_started_tells_queued_and_cancelled(
    scene: Scene, receiver: WebhookReceiver
) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    job = await scene.create()
    await scene.cancel(job)
    await scene.wait_for_deliveries(2, job=job)
    assert receiver.told(job) == ["queued", "cancelled"]


async def test_a_receiver_that_fails_twice_gets_the_third_attempt(scene: Scene, receiver: WebhookReceiver) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    receiver.replies = [Reply(500), Reply(503)]
    job = await scene.create()
    payloads = await receiver.wait_for(3)
    assert len({payload.message_id for payload in payloads}) == 1
    assert len({payload.body for payload in payloads}) == 1
    assert all(payload.is_signed_with(b"s3cret") for payload in payloads)
    facts = await scene.wait_for_deliveries(3, job=job)
    assert [(fact.attempt, fact.outcome, fact.response_status) for fact in facts] == [
        (1, "failed", 500),
        (2, "failed", 503),
        (3, "delivered", 200),
    ]
    assert [fact.error for fact in facts] == ["The answer was 500.", "The answer was 503.", None]
    for fact in facts:
        assert fact.response
        assert "Content-Type" in [header.name for header in fact.response.headers]
    for fact, following in pairwise(facts):
        assert fact.next_attempt_at
        assert following.at >= fact.next_attempt_at


async def test_after_the_last_attempt_it_gives_up(scene: Scene, receiver: WebhookReceiver) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    receiver.decide = lambda _letter: Reply(500)
    job = await scene.create()
    facts = await scene.wait_for_deliveries(4, job=job)
    assert [fact.outcome for fact in facts] == ["failed", "failed", "failed", "gave_up"]
    assert facts[-1].next_attempt_at is None
    await scene.wait_until_nothing_waits()
    assert len(receiver.payloads) == 4


async def test_an_older_state_is_superseded_once_a_newer_one_was_accepted(
    scene: Scene, receiver: WebhookReceiver
) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    # Far enough away that `transcoding` is told meanwhile.
    receiver.replies = [Reply(503, {"Retry-After": "3600"})]
    job = await scene.create()
    await receiver.wait_for(1)
    await scene.start(job)
    await receiver.wait_for(2)
    facts = await scene.wait_for_deliveries(3, job=job)
    assert [(fact.status, fact.outcome, fact.attempt) for fact in facts] == [
        ("queued", "failed", 1),
        ("transcoding", "delivered", 1),
        ("queued", "superseded", 2),
    ]
    await scene.wait_until_nothing_waits()
    assert receiver.told(job) == ["queued", "transcoding"]


async def test_a_state_that_waits_for_its_retry_holds_up_neither_newer_ones_nor_other_jobs(
    scene: Scene, receiver: WebhookReceiver
) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    receiver.replies = [Reply(503, {"Retry-After": "3600"})]
    stuck = await scene.create()
    await receiver.wait_for(1)
    other = await scene.run_through()
    await receiver.wait_for(3, where=lambda payload: payload.job["id"] == other, seconds=5)
    assert receiver.told(stuck) == ["queued"]


async def test_a_410_disables_the_hook_and_no_other(scene: Scene, receiver: WebhookReceiver) -> None:
    await scene.set_hooks(new_hook(receiver.url + "/gone", number=1), new_hook(receiver.url + "/here", number=2))
    receiver.decide = lambda payload: Reply(410 if payload.path == "/gone" else 200)
    job = await scene.create()
    await receiver.wait_for(2)
    await scene.wait_for_deliveries(2, job=job)
    await scene.start(job)
    later = await scene.create()
    await receiver.wait_for(4)
    await scene.wait_until_nothing_waits()
    assert [payload.path for payload in receiver.payloads].count("/gone") == 1
    outcomes = {(fact.hook[-1], fact.status): fact.outcome for fact in await scene.deliveries(job)}
    assert outcomes == {("1", "queued"): "disabled", ("2", "queued"): "delivered", ("2", "transcoding"): "delivered"}
    assert {fact.hook[-1] for fact in await scene.deliveries(later)} == {"2"}


async def test_a_410_from_an_address_that_was_replaced_meanwhile_disables_nothing(
    scene: Scene, receiver: WebhookReceiver
) -> None:
    await scene.set_hooks(new_hook(receiver.url + "/old"))
    receiver.replies = [Reply(410, seconds=0.5)]
    job = await scene.create()
    await receiver.wait_for(1)
    await scene.set_hooks(new_hook(receiver.url + "/new"))
    payloads = await receiver.wait_for(2)
    assert [payload.path for payload in payloads] == ["/old", "/new"]
    facts = await scene.wait_for_deliveries(2, job=job)
    assert [(fact.outcome, fact.response_status) for fact in facts] == [("failed", 410), ("delivered", 200)]


async def test_a_hook_that_was_enabled_again_after_its_410_is_told_again(
    scene: Scene, receiver: WebhookReceiver
) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    receiver.replies = [Reply(410)]
    await scene.create()
    await scene.wait_for_deliveries(1)
    await scene.set_hooks(new_hook(receiver.url, enabled=False))
    await scene.create()
    await scene.set_hooks(new_hook(receiver.url))
    told = await scene.create()
    await receiver.wait_for(1, where=lambda payload: payload.job["id"] == told)


@pytest.mark.parametrize("as_date", [False, True])
async def test_retry_after_is_waited_for(scene: Scene, receiver: WebhookReceiver, as_date: bool) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    receiver.replies = [Reply(429, {"Retry-After": formatdate(time() + 4, usegmt=True) if as_date else "2"})]
    await scene.create()
    first, second = await receiver.wait_for(2)
    # A date has whole seconds, and is of the moment before the job: four of them are more than two.
    assert 2 <= second.at - first.at < 6


async def test_redirects_are_not_followed(scene: Scene, receiver: WebhookReceiver) -> None:
    await scene.set_hooks(new_hook(receiver.url + "/from"))
    receiver.replies = [Reply(302, {"Location": receiver.url + "/to"}), Reply(307, {"Location": receiver.url + "/to"})]
    job = await scene.create()
    payloads = await receiver.wait_for(3)
    assert {payload.path for payload in payloads} == {"/from"}
    facts = await scene.wait_for_deliveries(3, job=job)
    assert facts[0].error == "The answer was 302; redirects are not followed."
    assert [fact.outcome for fact in facts] == ["failed", "failed", "delivered"]


async def test_a_receiver_that_takes_too_long_has_failed(scene: Scene, receiver: WebhookReceiver) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    receiver.replies = [Reply(200, seconds=5)]
    job = await scene.create()
    await receiver.wait_for(2)
    fact = (await scene.wait_for_deliveries(2, job=job))[0]
    assert (fact.outcome, fact.error, fact.response_status) == ("failed", "No answer within 2 seconds.", None)
    assert 2000 <= fact.duration_ms < 3500


async def test_nobody_listening_is_a_failure_that_says_so_without_the_address(scene: Scene) -> None:
    await scene.set_hooks(new_hook(f"http://user:hunter2@127.0.0.1:{free_port()}/?key=hunter2"))
    job = await scene.create()
    facts = await scene.wait_for_deliveries(4, job=job)
    assert {fact.error for fact in facts} == {"The connection was refused."}
    assert [fact.outcome for fact in facts] == ["failed", "failed", "failed", "gave_up"]


async def test_disabled_and_foreign_hooks_are_not_told(nats_url: str, scene: Scene, receiver: WebhookReceiver) -> None:
    await scene.set_hooks(
        new_hook(receiver.url + "/off", number=1, enabled=False), new_hook(receiver.url + "/on", number=2)
    )
    client = await nats.connect(nats_url)
    other = await Scene.open(client)
    await other.set_hooks(new_hook(receiver.url + "/other", number=3))
    await scene.run_through()
    await scene.wait_for_deliveries(3)
    assert {payload.path for payload in receiver.payloads} == {"/on"}
    await client.close()


async def test_a_hook_registered_later_hears_only_what_comes_after(scene: Scene, receiver: WebhookReceiver) -> None:
    await scene.set_hooks(new_hook(receiver.url + "/first", number=1))
    job = await scene.create()
    await receiver.wait_for(1)
    await scene.set_hooks(new_hook(receiver.url + "/first", number=1), new_hook(receiver.url + "/second", number=2))
    await scene.start(job)
    await receiver.wait_for(3)
    assert [payload.status for payload in receiver.payloads if payload.path == "/second"] == ["transcoding"]


async def test_a_hook_that_was_removed_meanwhile_is_given_up(scene: Scene, receiver: WebhookReceiver) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    receiver.decide = lambda _letter: Reply(503, {"Retry-After": "1"})
    job = await scene.create()
    await receiver.wait_for(1)
    await scene.set_hooks()
    facts = await scene.wait_for_deliveries(2, job=job)
    assert [(fact.outcome, fact.error) for fact in facts] == [
        ("failed", "The answer was 503."),
        ("gave_up", "The webhook was removed or disabled."),
    ]
    assert len(receiver.payloads) == 1


async def test_a_redelivery_is_sent_once_whatever_was_sent_before(scene: Scene, receiver: WebhookReceiver) -> None:
    await scene.set_hooks(new_hook(receiver.url))
    job = await scene.run_through()
    facts = await scene.wait_for_deliveries(3, job=job)
    receiver.replies = [Reply(200), Reply(500)]
    await scene.redeliver(facts[0], "again-1")
    await scene.wait_for_deliveries(4, job=job)
    await scene.redeliver(facts[1], "again-2")
    facts = await scene.wait_for_deliveries(5, job=job)
    assert [(fact.status, fact.outcome, fact.next_attempt_at) for fact in facts[3:]] == [
        ("queued", "delivered", None),
        ("transcoding", "failed", None),
    ]
    again = receiver.payloads[3:]
    assert [payload.status for payload in again] == ["queued", "transcoding"]
    assert again[0].body == receiver.payloads[0].body
    assert len({payload.message_id for payload in receiver.payloads}) == 5


async def test_a_test_tells_of_a_sample_job_once(scene: Scene, receiver: WebhookReceiver) -> None:
    await scene.set_hooks(new_hook(receiver.url, enabled=False))
    receiver.replies = [Reply(500)]
    job = await scene.try_hook(new_hook(""), "try-1")
    (fact,) = await scene.wait_for_deliveries(1, job=job)
    assert (fact.test, fact.status, fact.outcome, fact.response_status) == (True, "queued", "failed", 500)
    await scene.wait_until_nothing_waits()
    (payload,) = receiver.payloads
    assert payload.headers["x-streams-event"] == "webhook.test"
    assert payload.message_id == fact.message_id
    assert payload.is_signed_with(b"s3cret")
    assert (payload.job["id"], payload.job["client_metadata"]) == (job, {"test": True})
    assert not await scene.queues(job)


async def test_one_dead_receiver_with_many_jobs_leaves_the_slots_to_others(
    scene: Scene, receiver: WebhookReceiver
) -> None:
    def decide(payload: WebhookPayload) -> Reply:
        return Reply(200, seconds=5) if payload.path == "/dead" else Reply()

    async with WebhookReceiver(decide) as dead:
        # Another host name, since it is hosts that are told apart.
        elsewhere = dead.url.replace("127.0.0.1", "localhost") + "/dead"
        await scene.set_hooks(new_hook(elsewhere, number=1), new_hook(receiver.url, number=2))
        jobs = await asyncio.gather(*(scene.create() for _ in range(40)))
        await receiver.wait_for(40, seconds=10)
        assert len(dead.payloads) < 40
        assert {payload.job["id"] for payload in receiver.payloads} == set(jobs)
        # Neither its jobs nor the process that keeps trying them shall be in the way of the tests that follow.
        await scene.set_hooks()
        await scene.wait_until_nothing_waits(seconds=60)


async def test_no_secret_is_written_anywhere(
    scene: Scene, receiver: WebhookReceiver, notifier: NotifierProcess
) -> None:
    await scene.set_hooks(new_hook(receiver.url + "/?password=hunter2", secret_token="tokenfish"))
    receiver.replies = [Reply(500, {"X-Echo": "hunter2"}, body="not for the log: tokenfish, password=hunter2")]
    job = await scene.create()
    await receiver.wait_for(2)
    facts = json.dumps([fact.model_dump(mode="json") for fact in await scene.wait_for_deliveries(2, job=job)])
    assert "not for the log: <hidden>, password=<hidden>" in facts
    for secret in ("hunter2", "tokenfish"):
        assert secret not in facts
    for secret in ("hunter2", "tokenfish", "not for the log"):
        assert secret not in notifier.log


async def test_private_addresses_are_refused_unless_allowed(tmp_path: Path, receiver: WebhookReceiver) -> None:
    async with nats_server() as server:
        client = await server.connect()
        scene = await Scene.open(client)
        hosts = ("127.0.0.1", "localhost", "[::1%25lo]")
        urls = (receiver.url.replace("127.0.0.1", host) for host in hosts)
        await scene.set_hooks(*(new_hook(url, number=number) for number, url in enumerate(urls)))
        with NotifierProcess(server.url, tmp_path, retry_seconds="0", MILLRACE_ALLOWED_HOSTS="") as strict:
            await strict.wait_until_ready()
            await scene.create()
            facts = await scene.wait_for_deliveries(3)
        assert {fact.error for fact in facts} == {
            "The address is private, loopback or otherwise not public; this server does not send there."
        }
        assert {fact.outcome for fact in facts} == {"gave_up"}
        assert receiver.payloads == []
        await client.close()

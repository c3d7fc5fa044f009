"""Jobs with an encrypted output, as clients ask for them: from the request to the vault, over processes and tries."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from services.api.accounts.directory import NotPossible
from services.api.contract.responses import Job as ShownJob
from shared.bus.joblog import JobLog
from shared.bus.vault import Vault
from shared.encryption.providers import SealedStore, TpStreams
from shared.events import Created
from shared.sealing import Sealer
from shared.settings import decode_keys
from tests.support.api import SEAL_KEY, Account, Answer, ApiProcess, Caller, job_body
from tests.support.samples import failed, fetched

CONTENT = "cf6c30dd-50c1-492e-8234-4ea3e139da1d"
STATIC = [{"kid": "0" * 32, "iv": "1" * 32, "key": "2" * 32}]


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url) as running:
        yield running


@pytest.fixture
async def client(nats_url: str, api: ApiProcess) -> AsyncIterator[Client]:
    client = await nats.connect(nats_url)
    yield client
    await client.close()


@pytest.fixture
def vault(client: Client) -> Vault:
    return Vault(client, Sealer(decode_keys(SecretStr(SEAL_KEY))))


async def test_a_job_gets_a_content_with_keys_of_its_own(caller: Caller, vault: Vault, log: JobLog) -> None:
    answer = await caller.create(enable_drm=True)
    assert answer.status == 201, answer.text
    shown = answer.body
    assert ShownJob.model_validate(shown)
    members = list(shown)
    place = members.index("status")
    assert members[place : place + 3] == ["status", "enable_drm", "drm_content_id"]
    assert (shown["enable_drm"], shown["encryption"]) == (True, "cbcs")
    content, org, job = shown["drm_content_id"], caller.account.org, shown["id"]
    kept = await vault.key_set(org, job)
    assert kept
    (key,) = kept.keys
    assert (key.tracks, key.kid.hex(), kept.protection.content_id) == ("all", content, content)
    assert len(kept.protection.keys[0].media_lines) == 2
    assert await vault.provider(org, job) == SealedStore()
    created = await log.fact(org, job, Created)
    assert created
    assert (created.drm_content_id, created.enable_drm) == (content, True)
    assert key.key.hex() not in answer.text + created.model_dump_json()
    # Another job has another content, unless it asks for this one.
    others = [(await caller.create(enable_drm=True, **more)).body for more in ({}, {"drm": {"content_id": content}})]
    assert [other["drm_content_id"] == content for other in others] == [False, True]
    assert await vault.keys(org, others[1]["id"]) == kept.keys


async def test_separate_keys_and_all_systems(caller: Caller, vault: Vault) -> None:
    options = {"content_id": CONTENT, "keys": "separate", "systems": ["widevine", "fairplay", "playready"]}
    job = await caller.created(encryption="cbcs", drm=options)
    kept = await vault.key_set(caller.account.org, job)
    assert kept
    assert [key.tracks for key in kept.keys] == ["audio", "sd", "hd"]
    assert len({key.key for key in kept.keys} | {key.kid for key in kept.keys}) == 6
    assert all(len(key.pssh) == 2 and len(key.media_lines) == 3 for key in kept.protection.keys)
    refused = await caller.create(enable_drm=True, drm={"content_id": CONTENT})
    assert (refused.status, list(refused.body)) == (400, ["drm"])
    assert '"separate"' in refused.body["drm"][0]


async def test_what_one_organization_calls_a_content_means_nothing_to_another(
    caller: Caller, api: ApiProcess, vault: Vault
) -> None:
    async with Caller(api, api.account("namesake")) as other:
        options = {"content_id": "0" * 31 + "1"}
        jobs = [(each.account.org, await each.created(enable_drm=True, drm=options)) for each in (caller, other)]
    first, second = [await vault.keys(org, job) for org, job in jobs]
    assert first[0].kid == second[0].kid
    assert first[0].key != second[0].key


async def test_aes_128_says_where_its_key_is(caller: Caller, vault: Vault) -> None:
    uri = "https://example.com/keys/{content_id}?id={kid}"
    answer = await caller.create(encryption="aes-128", drm={"key_uri": uri})
    assert answer.status == 201, answer.text
    assert (answer.body["enable_drm"], answer.body["encryption"]) == (False, "aes-128")
    content = answer.body["drm_content_id"]
    kept = await vault.key_set(caller.account.org, answer.body["id"])
    assert kept
    (line,) = kept.protection.keys[0].media_lines
    assert f'URI="https://example.com/keys/{content}?id={kept.keys[0].kid.hex()}"' in line
    refused = await caller.create(encryption="aes-128")
    assert "key_uri" in refused.body["drm"][0], "a server without an address of its own cannot give keys out"


async def test_no_key_is_both_for_drm_and_for_aes_128(caller: Caller) -> None:
    aes: dict[str, Any] = {"encryption": "aes-128", "drm": {"key_uri": "https://example.com/key"}}
    drm: dict[str, Any] = {"enable_drm": True}
    for first, second, kept in ((drm, aes, "cbcs"), (aes, drm, "aes-128")):
        content = (await caller.create(**first)).body["drm_content_id"]
        assert (await caller.call("GET", f"drm_contents/{content}/")).body["scheme"] == kept
        again = [request | {"drm": request.get("drm", {}) | {"content_id": content}} for request in (first, second)]
        same, other = [await caller.create(**request) for request in again]
        assert (same.status, other.status) == (201, 400)
        assert f"are for {kept}" in other.body["drm"][0]
        batch = [job_body() | request for request in again]
        assert (await caller.call("POST", "transcoding_jobs/batch/", {"jobs": batch})).status == 400
        assert (await caller.call("GET", "drm_contents/")).body["results"][-1]["scheme"] == kept


async def test_the_same_request_is_the_same_job_and_the_same_keys(caller: Caller, vault: Vault) -> None:
    body = json.dumps(job_body() | {"enable_drm": True}).encode()
    answers = await asyncio.gather(
        *(caller.call("POST", "transcoding_jobs/", body, headers={"Idempotency-Key": "drm"}) for _ in range(4))
    )
    assert {answer.status for answer in answers} == {201}
    assert len({(answer.body["id"], answer.body["drm_content_id"]) for answer in answers}) == 1
    kept = await vault.key_set(caller.account.org, answers[0].body["id"])
    assert kept
    assert kept.protection.content_id == answers[0].body["drm_content_id"]


async def test_a_retry_keeps_the_content_and_its_keys(caller: Caller, vault: Vault, log: JobLog) -> None:
    org, body = caller.account.org, job_body() | {"enable_drm": True, "drm": {"keys": "separate"}}
    job = await caller.created(**body)
    before = await vault.keys(org, job)
    content = (await caller.job(job))["drm_content_id"]
    await log.append(failed(job, org))
    path = f"transcoding_jobs/{job}/retry/"
    secret = {"output_path": body["output_path"]}
    refused = await caller.call("POST", path, secret | {"drm": {"content_id": CONTENT}})
    assert (refused.status, list(refused.body)) == (400, ["drm"])
    answer = await caller.call("POST", path, secret)
    assert answer.status == 201, answer.text
    again = answer.body
    assert (again["drm_content_id"], again["enable_drm"]) == (content, True)
    assert await vault.keys(org, again["id"]) == before


async def chosen(api: ApiProcess, account: Account, *arguments: str, text: str) -> str:
    return await asyncio.to_thread(lambda: api.admin("set-key-provider", account.org, *arguments, text=text))


async def test_the_operator_chooses_where_keys_come_from(api: ApiProcess, vault: Vault, log: JobLog) -> None:
    account = api.account("moved")
    secrets = "1" * 64 + "\n" + "2" * 32 + "\n"
    told = await chosen(api, account, "tpstreams", "--account", "a1b2c3", text=secrets)
    assert told == f"keys of {account.org} come from tpstreams\n"
    shown = api.admin("show-key-provider", account.org)
    assert "https://app.tpstreams.com" in shown
    assert "1111" not in shown
    async with Caller(api, account) as caller:
        refused = await caller.create(enable_drm=True, drm={"keys": "separate", "systems": ["playready"]})
        assert (refused.status, len(refused.body["drm"])) == (400, 2)
        job = await caller.created(enable_drm=True)
        provider = await vault.provider(account.org, job)
        assert isinstance(provider, TpStreams)
        assert (provider.organization, provider.signing_key) == ("a1b2c3", "1" * 64)
        assert await vault.key_set(account.org, job) is None, "they are asked for when the job begins"
        created = await log.fact(account.org, job, Created)
        assert created
        assert "1111" not in created.model_dump_json()
        # From now on the keys are ours again; the job has its provider.
        await chosen(api, account, "sealed", text="")
        assert await vault.key_set(account.org, await caller.created(enable_drm=True))
        assert await vault.provider(account.org, job) == provider


async def test_no_id_of_a_key_gets_a_second_key_by_a_retry(api: ApiProcess, vault: Vault, log: JobLog) -> None:
    account, (body, idle) = api.account("turned"), [job_body() | {"enable_drm": True} for _ in range(2)]
    secrets = "1" * 64 + "\n" + "2" * 32 + "\n"
    async with Caller(api, account) as caller:

        async def retry(job: str, asked: dict[str, Any] = body) -> Answer:
            return await caller.call("POST", f"transcoding_jobs/{job}/retry/", {"output_path": asked["output_path"]})

        used, unused = await caller.created(**body), await caller.created(**idle)
        kept = await vault.key_set(account.org, used)
        assert kept
        await log.append(fetched(used, account.org).encrypted(kept.protection))
        for job in (used, unused):
            await log.append(failed(job, account.org))
        again = (await retry(used)).body["id"]
        await log.append(failed(again, account.org))
        await chosen(api, account, "tpstreams", "--account", "a1b2c3", text=secrets)
        # Neither its keys, nor those that the first job had under the same ids.
        refused = await retry(again)
        assert (refused.status, list(refused.body)) == (409, ["detail"])
        assert "Create a new job" in refused.body["detail"]
        # Of this one no key was ever in use.
        assert (await retry(unused, idle)).status == 201
        await chosen(api, account, "sealed", text="")
        same = await retry(again)
        assert same.status == 201, same.text
        assert await vault.keys(account.org, same.body["id"]) == kept.keys


async def test_a_job_that_was_accepted_is_answered_again_whatever_the_operator_has_chosen_since(
    api: ApiProcess,
) -> None:
    account = api.account("replayed")
    wanted = job_body() | {"enable_drm": True, "drm": {"keys": "separate"}}
    single, batch = (
        json.dumps(wanted).encode(),
        json.dumps({"jobs": [wanted | {"output_path": job_body()["output_path"]}]}),
    )
    requests = (("transcoding_jobs/", single), ("transcoding_jobs/batch/", batch.encode()))
    async with Caller(api, account) as caller:
        first = [await caller.call("POST", path, body, headers={"Idempotency-Key": path}) for path, body in requests]
        assert [answer.status for answer in first] == [201, 201]
        await chosen(api, account, "tpstreams", "--account", "a1b2c3", text="1" * 64 + "\n" + "2" * 32 + "\n")
        again = [await caller.call("POST", path, body, headers={"Idempotency-Key": path}) for path, body in requests]
        assert [answer.status for answer in again] == [answer.status for answer in first]
        shown = [[job["id"] for job in answer.body.get("results", [answer.body])] for answer in (*first, *again)]
        assert shown[:2] == shown[2:]
        for path, body in requests:
            assert (await caller.call("POST", path, body, headers={"Idempotency-Key": "another"})).status == 400


@pytest.mark.parametrize(
    ("arguments", "text", "word"),
    [
        (("tpstreams", "--account", "a1b2c3"), "1" * 64, "Signing IV"),
        (("tpstreams", "--account", "a1b2c3"), "1" * 63 + "\n" + "2" * 32, "signing_key"),
        (("tpstreams",), "1" * 64 + "\n" + "2" * 32, "organization"),
        (("speke", "--url", "https://keys.example.com/"), "", "Give username and password"),
        (("static",), json.dumps(STATIC), "MILLRACE_API_STATIC_KEYS"),
        (("static",), "{", "keys are JSON"),
        (
            ("speke", "--url", "http://keys.example.com/", "--header", "x-key"),
            "1111",
            "MILLRACE_API_PLAIN_KEY_SERVICES",
        ),
    ],
)
async def test_a_provider_that_cannot_work_is_refused(
    api: ApiProcess, account: Account, arguments: tuple[str, ...], text: str, word: str
) -> None:
    with pytest.raises(NotPossible, match=word) as caught:
        await chosen(api, account, *arguments, text=text)
    assert "1111" not in str(caught.value)


async def test_static_keys_and_clear_key_are_for_servers_that_allow_them(
    nats_url: str, database_url: str, api: ApiProcess, account: Account, vault: Vault
) -> None:
    tested = api.account("tested")
    with ApiProcess(
        nats_url=nats_url,
        database_url=database_url,
        static_keys="true",
        public_url="https://video.example.com",
        clear_key_organizations=tested.org,
    ) as lax:
        await chosen(lax, tested, "static", text=json.dumps(STATIC))
        async with Caller(lax, tested) as caller:
            job = await caller.created(enable_drm=True, drm={"systems": ["clearkey"]})
            kept = await vault.key_set(tested.org, job)
            assert kept
            assert (kept.keys[0].kid.hex(), kept.keys[0].key.hex()) == ("0" * 32, "2" * 32)
            assert f"/{tested.org}/clearkey_license/</dashif:Laurl>" in kept.protection.keys[0].mpd[0]
            assert await vault.provider(tested.org, job) == SealedStore()
            plain = await caller.created(encryption="aes-128")
            kept = await vault.key_set(tested.org, plain)
            assert kept
            assert f"https://video.example.com/api/v1/{tested.org}/" in kept.protection.keys[0].media_lines[0]
        async with Caller(lax, account) as caller:
            # Nobody has allowed that this server gives their licences of Clear Key; players have to be told of others.
            other = await caller.created(enable_drm=True, drm={"systems": ["clearkey"]})
            kept = await vault.key_set(account.org, other)
            assert kept
            assert "Laurl" not in kept.protection.keys[0].mpd[0]
    async with Caller(api, tested) as caller:
        refused = await caller.create(enable_drm=True)
        assert (refused.status, list(refused.body)) == (400, ["encryption"])

"""One api process on a real NATS and a real Postgres: creating, reading, listing and cancelling jobs over HTTP."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import nats
import pytest
from nats.aio.client import Client

from services.api.contract.responses import Job as ShownJob
from services.api.contract.responses import JobCounts
from services.api.contract.timeline_models import TimelinePage
from shared.attempt import Attempt, making
from shared.bus.joblog import JobLog
from shared.bus.subjects import waiting_subject
from shared.bus.vault import Vault
from shared.events import Admitted, Completed, Created, Failed, Started
from shared.ids import new_job_id
from shared.payload import timestamp
from shared.sealing import Sealer
from shared.settings import decode_keys
from shared.waiting import Waiting
from tests.support.api import SEAL_KEY, Account, ApiProcess, Caller, job_body
from tests.support.bus import tell, until
from tests.support.samples import waiting_body, whole_life

STORAGE = "s3://stored-bucket/?access_key=AKSTORED&secret_key=SKSTORED&region=eu-west-1&endpoint=https://s3.example.com"
METADATA = '{ "z" : 1.50e3,\n"a":"\\u00e9é", "a": 12345678901234567890.10, "nul": "\\u0000\\ud800", "deep":[[[]]] }'


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(
        nats_url=nats_url, database_url=database_url, max_active_jobs=1, max_active_per_organization=1
    ) as process:
        yield process


@pytest.fixture(scope="module")
def account(api: ApiProcess) -> Account:
    return api.account("customer", STORAGE)


@pytest.fixture(scope="module")
def stranger(api: ApiProcess) -> Account:
    return api.account("stranger")


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    client = await nats.connect(nats_url)
    yield client
    await client.close()


async def test_a_job_is_answered_in_the_documented_shape(caller: Caller) -> None:
    body = job_body()
    answer = await caller.call("POST", "transcoding_jobs/", body)
    assert answer.status == 201
    shown = answer.body
    assert ShownJob.model_validate(shown)
    # Whether it is admitted already when it is answered is a race.
    assert shown["queue_position"] in (None, 1)
    assert shown | {"id": "", "created": "", "queue_position": None} == {
        "id": "", "type": "transcoding_job", "resolutions": ["240p", "480p"], "video_duration": None, "status": "Queued",
        "enable_drm": False, "drm_content_id": None, "input_url": "https://example.com/input-video.mp4",
        "output_path": body["output_path"].replace("AKIDEXAMPLE", "<access_key>").replace("wJalrXUtnFEMI", "<secret_key>"),
        "start_time": None, "end_time": None, "error_message": None, "client_metadata": None, "created": "", "progress": 0,
        "stage": "queued", "waiting": None, "error_code": None, "error_detail": None, "warnings": [], "outputs": None,
        "priority": "normal", "profile": "balanced", "encryption": "none", "retry_of": None, "retried_by": None, "queue_position": None,
        "early_playback": False, "playable_at": None,
        "timings": {"queued": None, "fetching": None, "transcoding": None, "uploading": None},
    }  # fmt: skip
    assert answer.headers["Location"].endswith(f"/transcoding_jobs/{shown['id']}/")
    assert await caller.job(shown["id"]) | {"queue_position": None} == shown | {"queue_position": None}


async def test_a_job_shows_what_it_waits_for(caller: Caller, client: Client) -> None:
    job, since = await caller.created(), datetime.now(UTC)
    waits = Waiting(
        code="output_unreachable",
        message="It is out.",
        service="fetcher",
        since=since,
        until=since + timedelta(hours=1),
    )
    subject = waiting_subject(caller.account.org, job, "admitted")

    async def shown() -> list[Any]:
        """In the list, and alone."""
        listed = await caller.call("GET", "transcoding_jobs/")
        (item,) = [item for item in listed.body["results"] if item["id"] == job]
        one = await caller.job(job)
        assert ShownJob.model_validate(one)
        return [item["waiting"], one["waiting"]]

    async def both() -> list[Any] | None:
        found = await shown()
        return found if all(found) else None

    async def neither() -> bool:
        return await shown() == [None, None]

    assert await neither()
    await client.publish(subject, waits.model_dump_json().encode())
    expected = {
        "code": "output_unreachable",
        "message": "It is out.",
        "service": "fetcher",
        "since": timestamp(waits.since),
        "until": timestamp(waits.until),
    }
    assert await until(both) == [expected, expected]
    await client.publish(subject, b"")
    await until(neither)
    await client.publish(subject, waits.model_dump_json().encode())
    await until(both)
    await caller.call("DELETE", f"transcoding_jobs/{job}/")
    await until(neither)


async def test_signed_addresses_may_be_long(caller: Caller, client: Client) -> None:
    """8 KB with token and policy, as CDNs sign them."""
    url = "https://example.com/film.mp4?Policy="
    url += "p" * (8192 - len(url) - 20) + "&name=" + "n" * 14
    answer = await caller.call("POST", "transcoding_jobs/", job_body() | {"input_url": url})
    assert answer.status == 201, answer.body
    shown = "https://example.com/film.mp4?Policy=<Policy>&name=<name>"
    assert (await caller.job(answer.body["id"]))["input_url"] == shown
    kept = await Vault(client, Sealer(decode_keys_of_test())).get(caller.account.org, answer.body["id"])
    assert kept.input_url == url
    assert (await caller.call("DELETE", f"transcoding_jobs/{answer.body['id']}/")).status == 200


async def test_metadata_comes_back_byte_for_byte_everywhere(caller: Caller, nats_url: str, client: Client) -> None:
    body = json.dumps(job_body())[:-1].encode() + f', "client_metadata":{METADATA}  }}'.encode()
    created = await caller.call("POST", "transcoding_jobs/", body)
    assert created.status == 201
    job = created.body["id"]
    shown = await caller.call("GET", f"transcoding_jobs/{job}/")
    listed = await caller.call("GET", "transcoding_jobs/?page_size=1")
    for answer in (created, shown, listed):
        assert f'"client_metadata": {METADATA}, "created"' in answer.text
    event = await JobLog(client).fact(caller.account.org, job, Created)
    assert event and event.client_metadata == METADATA


async def test_credentials_are_sealed_for_the_workers_and_shown_to_nobody(caller: Caller, client: Client) -> None:
    body = job_body() | {
        "input_path": "s3://in-bucket/a.mp4/?access_key=INAKID&secret_key=in/SECRET+x&region=eu-west-1"
    }
    del body["input_url"]
    answer = await caller.call("POST", "transcoding_jobs/", body)
    job = answer.body["id"]
    assert (
        answer.body["input_url"]
        == "s3://in-bucket/a.mp4/?access_key=<access_key>&secret_key=<secret_key>&region=eu-west-1"
    )
    addresses = await Vault(client, Sealer(decode_keys_of_test())).get(caller.account.org, job)
    assert (addresses.input_url, addresses.output_path) == (body["input_path"], body["output_path"])
    message = await client.jetstream().get_last_msg("JOBS", f"jobs.{caller.account.org}.{job}.created")
    for secret in ("INAKID", "in/SECRET+x", "AKIDEXAMPLE", "wJalrXUtnFEMI"):
        assert secret not in answer.text
        assert secret.encode() not in (message.data or b"")


async def test_the_organizations_storage_supplies_credentials(caller: Caller, client: Client) -> None:
    job = await caller.created(output_path="s3://stored-bucket/films/one/")
    addresses = await Vault(client, Sealer(decode_keys_of_test())).get(caller.account.org, job)
    output = addresses.output
    assert (output.access_key, output.region, output.endpoint) == ("AKSTORED", "eu-west-1", "https://s3.example.com")
    assert (await caller.job(job))["output_path"] == "s3://stored-bucket/films/one/"
    refused = await caller.create(output_path="s3://other-bucket/films/", input_url="s3://other-bucket/in.mp4")
    assert refused.status == 400
    assert list(refused.body) == ["input_url", "output_path"]


async def test_a_body_that_is_wrong_changes_nothing(caller: Caller) -> None:
    before = (await caller.call("GET", "transcoding_jobs/")).body["count"]
    refused = await caller.create(resolutions=["999p"])
    assert refused.body["resolutions"][0] == '"999p" is not a valid choice.'
    assert (await caller.create(enable_drm=True, encryption="none")).status == 400
    malformed = await caller.call("POST", "transcoding_jobs/", b'{"a": ')
    assert (malformed.status, malformed.body["detail"][:16]) == (400, "JSON parse error")
    form = await caller.call(
        "POST", "transcoding_jobs/", b"a=b", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert form.status == 415
    large = await caller.call("POST", "transcoding_jobs/", b'{"a": "' + b"x" * 70_000 + b'"}')
    assert (large.status, list(large.body)) == (413, ["detail"])
    assert (await caller.call("GET", "transcoding_jobs/")).body["count"] == before


async def test_two_unfinished_jobs_never_share_an_output_path(
    caller: Caller, api: ApiProcess, stranger: Account
) -> None:
    path = job_body()["output_path"]
    first = await caller.created(output_path=path)
    same = path.replace("AKIDEXAMPLE", "another").replace("region=us-east-1", "endpoint=https://s3.amazonaws.com")
    second = await caller.create(output_path=same)
    assert second.status == 400
    assert first in second.body["output_path"][0]
    async with Caller(api, stranger) as other:
        assert (await other.create(output_path=path)).status == 201
    await caller.call("DELETE", f"transcoding_jobs/{first}/")
    assert (await caller.create(output_path=path)).status == 201


async def test_of_two_at_the_same_time_one_is_accepted(caller: Caller) -> None:
    path = job_body()["output_path"]
    answers = await asyncio.gather(*(caller.create(output_path=path) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [201, 400, 400, 400, 400, 400]


async def test_an_idempotency_key_names_one_job(caller: Caller, api: ApiProcess, stranger: Account) -> None:
    body, key = job_body(), {"Idempotency-Key": "order 1/2"}
    first = await caller.call("POST", "transcoding_jobs/", body, headers=key)
    again = await caller.call("POST", "transcoding_jobs/", body, headers=key)
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    other_body = await caller.call("POST", "transcoding_jobs/", job_body(), headers=key)
    assert other_body.status == 409
    async with Caller(api, stranger) as other:
        assert (await other.call("POST", "transcoding_jobs/", body, headers=key)).body["id"] != first.body["id"]
    await caller.call("DELETE", f"transcoding_jobs/{first.body['id']}/")
    after_its_end = await caller.call("POST", "transcoding_jobs/", body, headers=key)
    assert (after_its_end.status, after_its_end.body["status"]) == (201, "Cancelled")


async def test_one_key_many_times_at_once_is_one_job(caller: Caller) -> None:
    body, key = job_body(), {"Idempotency-Key": "at once"}
    answers = await asyncio.gather(*(caller.call("POST", "transcoding_jobs/", body, headers=key) for _ in range(8)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["id"] for answer in answers}) == 1


async def test_a_key_whose_request_was_refused_is_free(caller: Caller) -> None:
    taken = job_body()["output_path"]
    await caller.created(output_path=taken)
    key = {"Idempotency-Key": "refused first"}
    assert (
        await caller.call("POST", "transcoding_jobs/", job_body() | {"output_path": taken}, headers=key)
    ).status == 400
    assert (await caller.call("POST", "transcoding_jobs/", job_body(), headers=key)).status == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
async def test_a_malformed_key_is_refused(caller: Caller, key: str) -> None:
    assert (await caller.call("POST", "transcoding_jobs/", job_body(), headers={"Idempotency-Key": key})).status == 400


async def test_a_job_is_read_listed_and_cancelled_by_its_organization_alone(
    caller: Caller, api: ApiProcess, stranger: Account
) -> None:
    job = await caller.created()
    async with Caller(api, stranger) as other:
        for method in ("GET", "DELETE"):
            for path in (f"transcoding_jobs/{job}/", f"/api/v1/{caller.account.org}/transcoding_jobs/{job}/"):
                answer = await other.call(method, path)
                assert (answer.status, answer.body) == (404, {"detail": "Not found."})
        assert (await other.call("GET", f"transcoding_jobs/{job}/events/")).status == 404
        assert (await other.call("GET", "/api/v1/nobody/transcoding_jobs/")).status == 404
        assert job not in (await other.call("GET", "transcoding_jobs/?page_size=100")).text
    assert (await caller.job(job))["status"] == "Queued"


@pytest.mark.parametrize("job", ["22222222222", "0", "*", "%3E", "5KQfnXCg8Q%00", "x" * 300])
async def test_a_job_that_is_not_there(caller: Caller, job: str) -> None:
    for method in ("GET", "DELETE"):
        answer = await caller.call(method, f"transcoding_jobs/{job}/")
        assert (answer.status, answer.body) == (404, {"detail": "Not found."})


async def test_cancelling(caller: Caller, client: Client) -> None:
    log, org = JobLog(client), caller.account.org
    job = await caller.created()
    assert (await caller.call("DELETE", f"transcoding_jobs/{job}/")).body == {"message": "Job cancelled successfully."}
    shown = await caller.job(job)
    assert (shown["status"], shown["stage"]) == ("Cancelled", "done")
    assert shown["end_time"]
    answer = await caller.call("DELETE", f"transcoding_jobs/{job}/")
    assert (answer.status, answer.body) == (200, {"message": "Job is already cancelled."})
    failing = await caller.created()
    await log.append(Started(org=org, job=failing))
    await log.append(Failed(org=org, job=failing, code="input_empty", message="The input is empty."))
    assert (await caller.call("DELETE", f"transcoding_jobs/{failing}/")).body == {"message": "Job is already error."}
    ended = await log.end_of(org, failing)
    assert ended and isinstance(ended.event, Failed)
    shown = await caller.until_status(failing, "Error")
    assert (shown["error_code"], shown["error_message"]) == ("input_empty", "The input is empty.")


async def test_many_cancels_at_once_cancel_once(caller: Caller) -> None:
    job = await caller.created()
    answers = await asyncio.gather(*(caller.call("DELETE", f"transcoding_jobs/{job}/") for _ in range(5)))
    messages = [answer.body["message"] for answer in answers]
    assert sorted(messages) == ["Job cancelled successfully."] + 4 * ["Job is already cancelled."]


async def test_cancelled_while_events_were_on_their_way_loses_none_of_them(caller: Caller, client: Client) -> None:
    job = await caller.created()
    await JobLog(client).append(Started(org=caller.account.org, job=job))
    await caller.call("DELETE", f"transcoding_jobs/{job}/")
    shown = await caller.job(job)
    assert shown["status"] == "Cancelled"
    assert shown["start_time"]


async def test_listing_pages_and_filters(api: ApiProcess) -> None:
    account = api.account("lister")
    async with Caller(api, account) as caller:
        begin = datetime.now(UTC)
        jobs = [await caller.created(priority="low") for _ in range(5)]
        await caller.call("DELETE", f"transcoding_jobs/{jobs[1]}/")
        page = (await caller.call("GET", "transcoding_jobs/?page_size=2&status=QUEUED&status=cancelled")).body
        assert (page["count"], page["previous"], [item["id"] for item in page["results"]]) == (5, None, jobs[4:2:-1])
        assert {item["status"] for item in page["results"]} == {"queued"}
        seen = list(page["results"])
        while page["next"]:
            assert page["next"].startswith(
                f"{api.url}/api/v1/{account.org}/transcoding_jobs/?page_size=2&status=QUEUED"
            )
            page = (await caller.call("GET", page["next"].removeprefix(api.url))).body
            seen += page["results"]
        assert [item["id"] for item in seen] == jobs[::-1]
        assert seen[3]["status"] == "cancelled"

        async def ids(query: str) -> list[str]:
            return [item["id"] for item in (await caller.call("GET", f"transcoding_jobs/?{query}")).body["results"]]

        assert await ids("ordering=created") == jobs
        assert await ids("status=cancelled") == [jobs[1]]
        assert await ids("enable_drm=true") == []
        assert len(await ids("enable_drm=false")) == 5
        created = [(await caller.job(job))["created"] for job in jobs]
        assert await ids(f"ordering=created&created_from={created[1]}&created_to={created[3]}") == jobs[1:4]
        assert await ids(f"created_to={(begin - timedelta(days=1)).date()}") == []
        assert len(await ids(f"created_from={begin.date()}&created_to={datetime.now(UTC).date()}")) == 5
        beyond = await caller.call("GET", "transcoding_jobs/?page=2")
        assert (beyond.status, beyond.body) == (404, {"detail": "Invalid page."})
        assert (await caller.call("GET", "transcoding_jobs/?state=queued")).body == {
            "state": ['Unknown parameter. Did you mean "status"?']
        }
        encrypted = await caller.created(enable_drm=True)
        await caller.created(encryption="aes-128", drm={"key_uri": "https://example.com/{content_id}"})
        assert await ids("enable_drm=true") == [encrypted]
        assert encrypted not in await ids("enable_drm=false")


async def test_jobs_are_searched_and_counted(api: ApiProcess) -> None:
    async with Caller(api, api.account("searcher")) as caller:
        metadata = {"title": "Été à la mer", "order": "A-1077"}
        film = await caller.created(input_url="https://example.com/My_Holiday-2024.MP4", client_metadata=metadata)
        clip = await caller.created(input_url="https://example.com/holidays.mov")
        await caller.call("DELETE", f"transcoding_jobs/{clip}/")

        async def found(**query: str) -> list[str]:
            page = (await caller.call("GET", f"transcoding_jobs/?{urlencode(query)}")).body
            assert page["count"] == len(page["results"])
            return [job["id"] for job in page["results"]]

        assert await found(search="holiday") == [clip, film]
        assert await found(search="HOLIDAY mp4 2024") == [film]
        assert (
            await found(search="été") == await found(search="a-1077") == await found(search=film[:6].lower()) == [film]
        )
        assert await found(search="oliday") == await found(search="holiday missing") == []
        assert await found(search="holiday", status="cancelled", enable_drm="false") == [clip]
        async with Caller(api, api.account("searcher-beside")) as other:
            assert (await other.call("GET", "transcoding_jobs/?search=holiday")).body["count"] == 0

        async def counts(query: str = "") -> Any:
            answer = await caller.call("GET", f"transcoding_jobs/counts/{query}")
            assert JobCounts.model_validate(answer.body)
            return {status: jobs for status, jobs in answer.body["by_status"].items() if jobs} | {
                "": answer.body["count"]
            }

        unfinished = (await caller.job(film))["status"].lower()
        everything = {unfinished: 1, "cancelled": 1, "": 2}
        assert await counts() == await counts("?search=holi") == await counts("?created_from=2020-01-01") == everything
        assert await counts("?search=mov&enable_drm=false") == {"cancelled": 1, "": 1}
        assert await counts("?created_to=2020-01-01") == await counts("?enable_drm=true") == {"": 0}
        assert (await caller.call("GET", "transcoding_jobs/counts/?status=queued")).status == 400


async def test_a_timeline_tells_of_stages_and_parts(caller: Caller, client: Client) -> None:
    job, org, log = await caller.created(), caller.account.org, JobLog(client)
    empty = (await caller.call("GET", f"transcoding_jobs/{job}/timeline/")).body
    assert (empty["count"], empty["fetch"], [stage["stage"] for stage in empty["stages"]]) == (0, None, ["queued"])
    life = [event for event in whole_life(job, org, parts=250)[1:] if not isinstance(event, Admitted | Completed)]
    with making(Attempt(worker="1f0c9ab2", began=datetime.now(UTC), number=2)):
        for event in life[:3]:
            await log.append(event)
    await tell(log, life[3:])
    since = datetime.now(UTC)
    body = waiting_body(since=since, until=since + timedelta(hours=1))
    await client.jetstream().publish(waiting_subject(org, job, "part_transcoded.v0249"), body)

    async def shown() -> Any:
        found = (await caller.call("GET", f"transcoding_jobs/{job}/timeline/?page_size=100")).body
        return found if found["waiting"] else None

    found = await until(shown)
    assert TimelinePage.model_validate(found)
    assert [stage["stage"] for stage in found["stages"]] == ["queued", "fetching", "transcoding", "uploading"]
    assert (found["fetch"]["worker"], found["fetch"]["attempt"], found["finish"]) == ("1f0c9ab2", 2, None)
    assert found["waiting"][0]["work"] == "part_transcoded.v0249"
    assert (found["count"], len(found["results"]), found["results"][0]["part"]) == (251, 100, "a0")
    last = (await caller.call("GET", f"transcoding_jobs/{job}/timeline/?page_size=100&page=3")).body
    assert [part["part"] for part in last["results"]][-1] == "v0249"
    assert last["results"][-1]["encode"]["speed"] == 4.0
    await caller.call("DELETE", f"transcoding_jobs/{job}/")
    assert (await caller.call("GET", f"transcoding_jobs/{job}/timeline/")).body["waiting"] == []
    assert (await caller.call("GET", f"transcoding_jobs/{new_job_id()}/timeline/")).status == 404
    assert (await caller.call("GET", f"transcoding_jobs/{job}/timeline/?status=queued")).status == 400


async def test_members_that_were_asked_for_are_shown_alone(caller: Caller) -> None:
    job = await caller.created(client_metadata={"fields": "id"})
    shown = (await caller.call("GET", f"transcoding_jobs/{job}/?fields=progress,id")).text
    assert shown == f'{{"id": "{job}", "progress": 0}}'
    page = (await caller.call("GET", "transcoding_jobs/?fields=client_metadata,id&page_size=1")).body
    assert page["results"] == [{"id": job, "client_metadata": {"fields": "id"}}]
    assert "fields=client_metadata%2Cid" in page["next"]
    assert list((await caller.call("GET", f"transcoding_jobs/{job}/?fields=state")).body) == ["fields"]


async def test_methods_paths_and_headers(caller: Caller) -> None:
    wrong = await caller.call("PATCH", "transcoding_jobs/", {})
    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert wrong.body == {"detail": 'Method "PATCH" not allowed.'}
    assert (await caller.call("OPTIONS", "transcoding_jobs/")).status == 204
    head = await caller.call("HEAD", "transcoding_jobs/")
    assert (head.status, head.text) == (200, "")
    assert (await caller.call("GET", "/nothing/")).body == {"detail": "Not found."}
    assert "slash" in (await caller.call("GET", "transcoding_jobs")).body["detail"]
    named = await caller.call("GET", "transcoding_jobs/", headers={"X-Request-ID": "my-id.1"})
    assert named.headers["X-Request-ID"] == "my-id.1"
    odd = await caller.call("GET", "transcoding_jobs/?page_size=1", headers={"X-Request-ID": "a b", "Host": 'a"b'})
    assert odd.status == 200
    assert (odd.body["next"] or "/").startswith("/")
    assert odd.headers["X-Request-ID"] != "a b"


async def test_document_and_page(caller: Caller) -> None:
    assert (await caller.call("GET", "/openapi.json")).body["openapi"] == "3.1.0"
    async with caller._session.get(f"{caller._process.url}/docs/") as response:
        assert response.status == 200
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        page = await response.text()
    for path in re.findall(r'"(/docs/[^"]+)"', page):
        async with caller._session.get(f"{caller._process.url}{path}") as response:
            assert response.status == 200 and response.headers["Content-Encoding"] in ("gzip", "deflate"), path
            assert len(await response.read()) > 10


def test_no_secret_is_in_the_log(api: ApiProcess, account: Account) -> None:
    log = api.log()
    assert '"event": "request"' in log
    for secret in ("AKIDEXAMPLE", "wJalrXUtnFEMI", "INAKID", "in/SECRET", "SKSTORED", account.token, "page_size"):
        assert secret not in log


def decode_keys_of_test() -> list[bytes]:
    from pydantic import SecretStr

    return decode_keys(SecretStr(SEAL_KEY))

"""The client's calls: what is sent, what is sent again, and what is made of the answers. No server, no waiting."""

import inspect
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

import millrace_client as mc
from millrace_client import async_client, client
from millrace_client.listing import moment

ORG = "a1b2c3"
TOKEN = "f" * 64
Handler = Callable[[httpx.Request], httpx.Response]
KEYS = "?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1"


def job_json(**members: Any) -> dict[str, Any]:
    return {
        "id": "5KQfnXCg8Qh", "type": "transcoding_job", "resolutions": ["240p"], "status": "Queued", "input_url": "https://e/in",
        "output_path": f"s3://b/p/{KEYS}", "created": "2026-01-31T12:30:00.000000Z", "progress": 0, "stage": "queued",
    } | members  # fmt: skip


def millrace(handler: Handler, **retries: Any) -> mc.Millrace:
    http = httpx.Client(transport=httpx.MockTransport(handler))
    return mc.Millrace("http://api.test/", ORG, TOKEN, http=http, retries=mc.Retries(**retries))


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses are noted and not made."""
    pauses: list[float] = []
    monkeypatch.setattr("millrace_client.blocking.time.sleep", pauses.append)
    return pauses


class Scripted:
    """Answers requests one after the other, and keeps them."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = iter(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def ok(body: Any = None, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=job_json() if body is None else body)


def test_a_job_is_created() -> None:
    server = Scripted(ok(status=201))
    metadata = '{ "z" : 1.50e3, "a": "é", "a": 1 }'
    job = millrace(server).jobs.create(
        input_url="https://e/in",
        output_path="s3://b/p/",
        resolutions=("240p",),
        client_metadata=metadata,
        more={"new": [1]},
    )
    (request,) = server.requests
    assert (request.method, str(request.url)) == ("POST", f"http://api.test/api/v1/{ORG}/transcoding_jobs/")
    assert request.headers["Authorization"] == f"Token {TOKEN}"
    assert len(request.headers["Idempotency-Key"]) == 32
    assert f'"client_metadata": {metadata}'.encode() in request.content
    assert json.loads(request.content).keys() == {"input_url", "output_path", "resolutions", "client_metadata", "new"}
    assert (job.status, job.raw["status"]) == (mc.Status.QUEUED, "Queued")


def test_letters_stay_and_halves_of_pairs_are_escaped() -> None:
    server = Scripted(ok(status=201))
    millrace(server).jobs.create(output_path="é", resolutions=["240p"], client_metadata={"a": "\ud800"})
    assert '"é"'.encode() in server.requests[0].content
    assert json.loads(server.requests[0].content)["client_metadata"] == {"a": "\ud800"}


LOST: tuple[httpx.Response | Exception, ...] = (
    httpx.ReadTimeout("read"), httpx.RemoteProtocolError("cut"), httpx.Response(502, text="<html>"), httpx.Response(500),
)  # fmt: skip


@pytest.mark.parametrize("lost", LOST, ids=str)
def test_a_job_whose_answer_was_lost_is_asked_for_again_under_the_same_key(lost: httpx.Response | Exception) -> None:
    server = Scripted(lost, httpx.ConnectError("refused"), ok(status=201))
    assert millrace(server).jobs.create(output_path="s3://b/p/", resolutions=["240p"]).id == "5KQfnXCg8Qh"
    assert len({(each.headers["Idempotency-Key"], each.content) for each in server.requests}) == 1
    assert len(server.requests) == 3


def test_a_key_of_the_callers_own() -> None:
    server = Scripted(ok(status=201))
    millrace(server).jobs.create(output_path="s3://b/p/", resolutions=["240p"], idempotency_key="row 7")
    assert server.requests[0].headers["Idempotency-Key"] == "row 7"


@pytest.mark.parametrize("lost", LOST, ids=str)
def test_what_has_no_key_is_not_done_twice(lost: httpx.Response | Exception) -> None:
    server = Scripted(lost)
    with pytest.raises((mc.Unreachable, mc.ServerFailed, mc.Unavailable)):
        millrace(server).webhooks.create("https://e/hook")
    assert len(server.requests) == 1


def test_what_did_not_arrive_is_sent_again_whatever_it_is() -> None:
    hook = {"id": "7", "url": "https://e/hook", "secret_token": "s3cret"}
    server = Scripted(httpx.ConnectError("refused"), httpx.Response(429, headers={"Retry-After": "3"}), ok(hook, 201))
    made = millrace(server).webhooks.create("https://e/hook")
    assert made.secret_token == "s3cret"
    assert "s3cret" not in repr(made)


def test_the_server_says_when_to_try_again(slept: list[float]) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    server = Scripted(
        httpx.Response(503, headers={"Retry-After": "7"}), httpx.Response(503, headers={"Retry-After": date}), ok()
    )
    millrace(server).jobs.get("5KQfnXCg8Qh")
    assert slept[0] == 7
    assert 15 < slept[1] <= 20


def test_pauses_grow_and_end(slept: list[float]) -> None:
    server = Scripted(*[httpx.Response(503) for _ in range(5)])
    with pytest.raises(mc.Unavailable, match="Try again later"):
        millrace(server).jobs.get("5KQfnXCg8Qh")
    assert len(slept) == 4
    assert all(2**n / 4 <= pause <= 2**n / 2 for n, pause in enumerate(slept))


def test_nobody_waits_for_hours(slept: list[float]) -> None:
    body = {"detail": "Used up.", "quota": "jobs_per_hour", "limit": 5, "retry_after": 1800}
    server = Scripted(httpx.Response(429, json=body, headers={"Retry-After": "1800"}))
    with pytest.raises(mc.TooManyRequests) as raised:
        millrace(server).jobs.create(output_path="s3://b/p/", resolutions=["240p"])
    assert (raised.value.quota, raised.value.limit, raised.value.retry_after, slept) == ("jobs_per_hour", 5, 1800, [])


def test_what_is_wrong_is_said_by_field() -> None:
    body = {
        "resolutions": ['"999p" is not a valid choice.', "Choose from 240p."],
        "output_path": ["This field is required."],
    }
    server = Scripted(httpx.Response(400, json=body, headers={"X-Request-ID": "r1"}))
    with pytest.raises(mc.InvalidRequest) as raised:
        millrace(server).jobs.create(output_path="", resolutions=["999p"])
    assert raised.value.fields == body
    assert raised.value.request_id == "r1"
    assert 'resolutions: "999p" is not a valid choice. Choose from 240p.; output_path: This' in str(raised.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, mc.InvalidToken),
        (403, mc.Forbidden),
        (404, mc.NotFound),
        (409, mc.Conflict),
        (413, mc.TooLarge),
        (418, mc.ApiError),
    ],
)
def test_refusals(status: int, kind: type[mc.ApiError]) -> None:
    server = Scripted(httpx.Response(status, json={"detail": "No."}))
    with pytest.raises(mc.ApiError) as raised:
        millrace(server).jobs.get("x")
    assert (type(raised.value), raised.value.detail, raised.value.status) == (kind, "No.", status)


@pytest.mark.parametrize("body", ["<html>", "[]", '{"id": 1}', ""])
def test_an_answer_of_another_server(body: str) -> None:
    with pytest.raises(mc.UnexpectedAnswer):
        millrace(Scripted(httpx.Response(200, text=body))).jobs.get("x")


def test_no_redirect_is_followed_with_the_token() -> None:
    server = Scripted(httpx.Response(301, headers={"Location": "https://api.test/"}))
    with pytest.raises(mc.UnexpectedAnswer, match="MILLRACE_API_URL"):
        millrace(server).jobs.get("x")
    assert len(server.requests) == 1


def test_ids_cannot_leave_their_place() -> None:
    server = Scripted(ok())
    millrace(server).jobs.get("../../x?y#z")
    assert server.requests[0].url.raw_path == f"/api/v1/{ORG}/transcoding_jobs/..%2F..%2Fx%3Fy%23z/".encode()


def test_a_removal_whose_answer_was_lost_is_done() -> None:
    server = Scripted(httpx.ReadTimeout("read"), httpx.Response(404, json={"detail": "Not found."}))
    millrace(server).webhooks.delete("7")
    with pytest.raises(mc.NotFound):
        millrace(Scripted(httpx.ConnectError("refused"), httpx.Response(404))).webhooks.delete("7")


def test_login_gives_the_token_that_is_used_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MILLRACE_TOKEN", raising=False)
    server = Scripted(ok({"token": "9" * 64, "expiry": "2026-01-31T12:30:00Z"}), ok(), httpx.Response(204))
    session = mc.Millrace("http://api.test", ORG, http=httpx.Client(transport=httpx.MockTransport(server)))
    with pytest.raises(mc.SettingsError, match="log in"):
        session.jobs.get("x")
    session.login("admin", "pass", token_name="laptop")
    session.jobs.get("x")
    session.logout()
    login, *others = server.requests
    assert "Authorization" not in login.headers
    assert json.loads(login.content) == {
        "username": "admin", "password": "pass", "organization_id": ORG, "token_name": "laptop"
    }  # fmt: skip
    assert {each.headers["Authorization"] for each in others} == {f"Token {'9' * 64}"}
    with pytest.raises(mc.SettingsError):
        session.jobs.get("x")


class Shop:
    """A list of jobs as the server pages it; one more comes in before every page but the first."""

    def __init__(self, times: list[datetime], *, grows: bool) -> None:
        self.jobs = [(f"{n:011}", time) for n, time in enumerate(times)]
        self.grows = grows
        self.requests = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        if self.grows and self.requests:
            self.jobs.append((f"{len(self.jobs):011}", self.jobs[-1][1] + timedelta(seconds=1)))
        self.requests += 1
        found = sorted(self.jobs, key=lambda job: (job[1], job[0]), reverse=query["ordering"] == "-created")
        if "created_to" in query:
            found = [job for job in found if job[1] <= datetime.fromisoformat(query["created_to"])]
        if "created_from" in query:
            found = [job for job in found if job[1] >= datetime.fromisoformat(query["created_from"])]
        page, size = int(query["page"]), int(query["page_size"])
        shown = found[(page - 1) * size : page * size]
        more = "http://elsewhere.test/next" if page * size < len(found) else None
        results = [job_json(id=name, created=moment(time), status="queued") for name, time in shown]
        return httpx.Response(200, json={"count": len(found), "next": more, "previous": None, "results": results})


START = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("step", [timedelta(seconds=1), timedelta(0)], ids=["apart", "at once"])
def test_a_list_has_every_job_once_though_others_come_in(newest_first: bool, step: timedelta) -> None:
    shop = Shop([START + n * step for n in range(25)], grows=newest_first)
    before = [name for name, _ in shop.jobs]
    found = [job.id for job in millrace(shop).jobs.list(page_size=4, newest_first=newest_first)]
    assert [name for name in found if name in before] == (before[::-1] if newest_first else before)
    assert len(set(found)) == len(found)


def test_a_list_is_read_as_far_as_it_is_asked_for() -> None:
    shop = Shop([START + timedelta(seconds=n) for n in range(25)], grows=False)
    assert next(millrace(shop).jobs.list(page_size=4)).id == f"{24:011}"
    assert shop.requests == 1
    page = millrace(shop).jobs.page(number=2, page_size=10)
    assert (page.count, page.more, len(page.results), page.results[0].raw["status"]) == (25, True, 10, "queued")


def test_a_timeline_has_the_parts_of_all_pages() -> None:
    encode = {
        "ended": "2026-01-31T12:30:00Z",
        "attempt": 2,
        "failures": {"encoder_died": 1},
        "encoder": "libx264",
        "speed": 3.4,
    }
    pages = [
        {
            "next": more,
            "stages": [{"stage": "queued", "began": "2026-01-31T12:30:00Z"}],
            "results": [{"part": part, "encode": encode}],
        }
        for more, part in (("http://elsewhere.test/", "v0001"), (None, "v0002"))
    ]
    server = Scripted(*map(ok, pages))
    timeline = millrace(server).jobs.timeline("x")
    assert [part.part for part in timeline.parts] == ["v0001", "v0002"]
    assert timeline.parts[0].encode
    assert (timeline.parts[0].encode.speed, timeline.parts[0].encode.failures) == (3.4, {"encoder_died": 1})
    assert [request.url.params["page"] for request in server.requests] == ["1", "2"]


def test_filters() -> None:
    server = Scripted(ok({"count": 0, "next": None, "previous": None, "results": []}))
    zone = timezone(timedelta(hours=2))
    first, last = date(2026, 1, 1), datetime(2026, 1, 31, 12, tzinfo=zone)
    assert not list(
        millrace(server).jobs.list(
            status=[mc.Status.ERROR, "cancelled"], search="x y", enable_drm=False, created_from=first, created_to=last
        )
    )
    assert list(server.requests[0].url.params.multi_items())[:6] == [
        ("status", "error"), ("status", "cancelled"), ("search", "x y"), ("enable_drm", "false"), ("created_from", "2026-01-01"),
        ("created_to", "2026-01-31T10:00:00.000000Z"),
    ]  # fmt: skip


def test_what_newer_servers_say_is_no_error() -> None:
    text = json.dumps(
        job_json(status="Paused", stage="resting", future={"a": 1}, outputs={"master": "s3://m", "new": 1})
    )
    job = mc.Job.from_json(text)
    assert (job.status, job.raw["status"], job.raw["future"], job.finished) == (
        mc.Status.UNKNOWN,
        "Paused",
        {"a": 1},
        False,
    )
    assert mc.Job.from_json(text.replace('"stage"', '"end_time": "2026-01-31T12:30:00Z", "stage"')).finished


def test_metadata_is_there_as_it_was_written() -> None:
    written = '{ "z" : 1.50e3,\n"a":"\\u00e9é", "a": 12345678901234567890.10, "nul": "\\u0000\\ud800", "deep":[[[]]] }'
    text = json.dumps(job_json())[:-1] + f', "client_metadata": {written}, "outputs": null}}'
    job = mc.Job.from_json(text)
    assert job.client_metadata_text == written
    assert job.client_metadata == json.loads(written)
    assert mc.Job.from_json(json.dumps(job_json(client_metadata=None))).client_metadata_text is None


def test_a_failed_job_is_an_exception_where_that_is_wanted() -> None:
    failed = mc.Job.from_json(
        json.dumps(job_json(status="error", error_code="input_unreadable", error_message="Mend it."))
    )
    with pytest.raises(mc.JobFailed, match=r"Mend it. \(input_unreadable\)") as raised:
        failed.raise_if_failed()
    assert raised.value.job is failed
    assert mc.Job.from_json(json.dumps(job_json(status="Completed"))).raise_if_failed().finished


@pytest.mark.parametrize(
    "url", ["https://e.test/m", "https://e.test/m/", "https://e.test/m/api", "https://e.test/m/api/v1/"]
)
def test_the_base_url_may_be_written_in_many_ways(url: str) -> None:
    assert mc.Settings.resolve(url, ORG, environment={}).api_url == "https://e.test/m"


def test_settings_come_from_the_environment() -> None:
    environment = {"MILLRACE_API_URL": "http://e.test", "MILLRACE_ORG": ORG, "MILLRACE_TOKEN": f"{TOKEN}\n"}
    found = mc.Settings.resolve(environment=environment)
    assert (found.api_url, found.org, found.token) == ("http://e.test", ORG, TOKEN)
    assert TOKEN not in repr(found)
    for name in ("MILLRACE_API_URL", "MILLRACE_ORG"):
        with pytest.raises(mc.SettingsError, match=name):
            mc.Settings.resolve(environment=environment | {name: ""})
    for name, wrong in (("MILLRACE_API_URL", "e.test"), ("MILLRACE_ORG", "a/b"), ("MILLRACE_TOKEN", "a b")):
        with pytest.raises(mc.SettingsError):
            mc.Settings.resolve(environment=environment | {name: wrong})


def public(of: Any) -> Iterator[str]:
    yield from (name for name in vars(of) if not name.startswith("_"))


def test_both_clients_can_do_the_same() -> None:
    for name in ("Jobs", "Webhooks", "Tokens", "BusUsers", "Millrace"):
        one, other = getattr(client, name), getattr(async_client, f"Async{name}")
        assert list(public(one)) == list(public(other))
        assert len(list(public(one))) >= 3


def test_methods_explain_themselves() -> None:
    create = millrace(Scripted()).jobs.create
    assert inspect.getdoc(create).startswith("Create a job.")  # type: ignore[union-attr]
    assert "core" not in inspect.signature(create).parameters
    assert "output_path" in inspect.signature(create).parameters


async def test_the_asynchronous_client_does_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("millrace_client.asynchronous.asyncio.sleep", sleep)
    page = {"count": 1, "next": None, "previous": None, "results": [job_json()]}
    server = Scripted(httpx.ReadTimeout("read"), ok(), ok(page), httpx.Response(404, json={"detail": "Not found."}))
    http = httpx.AsyncClient(transport=httpx.MockTransport(server))
    async with mc.AsyncMillrace("http://api.test", ORG, TOKEN, http=http) as session:
        assert (await session.jobs.get("x")).id == "5KQfnXCg8Qh"
        assert len(slept) == 1
        assert [job.id async for job in session.jobs.list()] == ["5KQfnXCg8Qh"]
        with pytest.raises(mc.NotFound):
            await session.jobs.get("x")

"""The Python client against a real api, blocking and asynchronous, and as a wheel in an environment that has nothing else."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest
from nats.aio.client import Client

import millrace_client as mc
from shared.bus.joblog import JobLog
from shared.bus.topology import DELIVERIES
from shared.deliveries import DeliveryAttempted, WebhookAttempt
from shared.events import Started
from tests.support.api import PASSWORD, Account, ApiProcess, job_body
from tests.support.bus import until
from tests.support.ports import free_port
from tests.support.samples import completed, failed
from tests.support.servers import REPOSITORY

METADATA = '{ "z" : 1.50e3,"a":"é", "a": 12345678901234567890.10, "deep":[[[]]] }'


@pytest.fixture(scope="module")
def api(nats_url: str, database_url: str) -> Iterator[ApiProcess]:
    with ApiProcess(nats_url=nats_url, database_url=database_url) as process:
        yield process


@pytest.fixture
async def client(nats_url: str, api: ApiProcess) -> AsyncIterator[Client]:
    """A connection that leaves the streams as the api made them."""
    client = await nats.connect(nats_url)
    yield client
    await client.close()


class Program:
    """A program with one of the two clients, as seen from a test that must not stand still while it works."""

    def __init__(self, millrace: mc.Millrace | mc.AsyncMillrace) -> None:
        self.millrace: Any = millrace

    async def do(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The result of a method."""
        if isinstance(self.millrace, mc.AsyncMillrace):
            return await method(*args, **kwargs)
        return await asyncio.to_thread(method, *args, **kwargs)

    async def all_of(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
        """The items of a method."""
        if isinstance(self.millrace, mc.AsyncMillrace):
            return [item async for item in method(*args, **kwargs)]
        return await asyncio.to_thread(lambda: list(method(*args, **kwargs)))


@asynccontextmanager
async def program(kind: str, url: str, account: Account, token: str | None = None) -> AsyncIterator[Program]:
    if kind == "blocking":
        with mc.Millrace(url, account.org, token or account.token) as blocking:
            yield Program(blocking)
    else:
        async with mc.AsyncMillrace(url, account.org, token or account.token) as asynchronous:
            yield Program(asynchronous)


@pytest.fixture(params=["blocking", "asynchronous"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def user(kind: str, api: ApiProcess, account: Account) -> AsyncIterator[Program]:
    async with program(kind, api.url, account) as user:
        yield user


async def test_the_life_of_a_job(user: Program, account: Account, log: JobLog) -> None:
    jobs, body = user.millrace.jobs, job_body()
    job = await user.do(jobs.create, **body, client_metadata=METADATA, priority="high")
    assert (job.status, job.raw["status"], job.priority) == (mc.Status.QUEUED, "Queued", "high")
    assert (job.client_metadata_text, job.client_metadata["deep"]) == (METADATA, [[[]]])
    with pytest.raises(mc.InvalidRequest) as raised:
        await user.do(jobs.create, **body)
    assert job.id in raised.value.fields["output_path"][0]

    following = asyncio.create_task(user.all_of(jobs.follow, job))
    waiting = asyncio.create_task(user.do(jobs.wait, job.id, timeout=60))
    await log.append(Started(org=account.org, job=job.id))
    await log.append(failed(job.id, account.org))
    states = await asyncio.wait_for(following, 60)
    assert (states[-1].status, states[-1].raw["status"]) == (mc.Status.ERROR, "error")
    assert states[-1].client_metadata_text == METADATA
    with pytest.raises(mc.JobFailed, match=states[-1].error_code):
        (await asyncio.wait_for(waiting, 60)).raise_if_failed()

    timeline = await user.do(jobs.timeline, job)
    assert [span.stage for span in timeline.stages][:2] == ["queued", "fetching"]
    assert timeline.stages[0].began == job.created

    again = await user.do(jobs.retry, job, input_url=body["input_url"], output_path=body["output_path"])
    assert (again.retry_of, again.client_metadata_text) == (job.id, METADATA)
    with pytest.raises(mc.Conflict):
        await user.do(jobs.retry, job, output_path=body["output_path"])
    assert await user.do(jobs.cancel, again) == "Job cancelled successfully."
    assert (await user.do(jobs.get, again.id)).status is mc.Status.CANCELLED
    assert (await user.do(jobs.wait, again)).finished
    with pytest.raises(mc.NotFound, match="Check the id"):
        await user.all_of(jobs.follow, "5KQfnXCg8Qh")


async def test_a_job_is_made_once_though_its_answer_was_lost(user: Program, api: ApiProcess, account: Account) -> None:
    lost = 0

    class Loses(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal lost
            response = super().handle_request(request)
            if request.method == "POST" and not lost:
                response.read()
                lost += 1
                raise httpx.RemoteProtocolError("the connection was cut")
            return response

    with mc.Millrace(api.url, account.org, account.token, http=httpx.Client(transport=Loses())) as millrace:
        job = await asyncio.to_thread(lambda: millrace.jobs.create(**job_body(), client_metadata={"mark": "lost"}))
    assert lost == 1
    newest = [each.id async for each in _first(user, 2)]
    assert newest.index(job.id) == 0
    assert len({*newest}) == len(newest)


async def _first(user: Program, number: int) -> AsyncIterator[mc.Job]:
    page = await user.do(user.millrace.jobs.page, page_size=number)
    for job in page.results:
        yield job


async def test_lists(kind: str, api: ApiProcess) -> None:
    async with program(kind, api.url, api.account(f"lists-{kind}")) as user:
        jobs = user.millrace.jobs
        made = [(await user.do(jobs.create, **job_body())).id for _ in range(5)]
        await user.do(jobs.cancel, made[2])
        assert [job.id for job in await user.all_of(jobs.list, page_size=2)] == made[::-1]
        assert [job.id for job in await user.all_of(jobs.list, page_size=2, newest_first=False)] == made
        (cancelled,) = await user.all_of(jobs.list, status=mc.Status.CANCELLED)
        assert cancelled.id == made[2]
        since = [
            job.id
            for job in await user.all_of(jobs.list, created_from=cancelled.created, status=["queued", "Cancelled"])
        ]
        assert since == made[:1:-1]
        assert [job.id for job in await user.all_of(jobs.list, search=made[1])] == [made[1]]
        counts = await user.do(jobs.counts)
        assert (counts.count, counts.by_status["cancelled"], sum(counts.by_status.values())) == (5, 1, 5)
        assert (await user.do(jobs.counts, search=made[1])).count == 1
        usage = await user.do(user.millrace.usage, by="month")
        assert (usage.total.jobs.cancelled, len(usage.results), usage.results[-1].bytes_out) == (1, 12, 0)
        page = await user.do(jobs.page, number=2, page_size=2)
        assert (page.count, page.more, [job.id for job in page.results]) == (5, True, made[2:0:-1])
        with pytest.raises(mc.InvalidRequest) as raised:
            await user.all_of(jobs.list, status="done")
        assert raised.value.fields.keys() == {"status"}


async def test_webhooks(user: Program, account: Account, client: Client) -> None:
    hooks = user.millrace.webhooks
    hook = await user.do(hooks.create, "https://example.com/hook")
    assert await user.do(hooks.get, hook.id) == hook
    moved = await user.do(hooks.replace, hook, "https://example.com/other", secret_token="mine")
    assert (moved.id, moved.secret_token) == (hook.id, "mine")
    assert hook.id in [each.id for each in await user.all_of(hooks.list)]

    job = await user.do(user.millrace.jobs.create, **job_body())
    attempt = WebhookAttempt(org=account.org, job=job.id, hook=hook.id, status="queued", sequence=1)
    fact = DeliveryAttempted.model_validate(
        attempt.model_dump(include={"org", "job", "hook", "status", "sequence", "attempt"})
        | {"message_id": attempt.message_id, "outcome": "failed", "response_status": 500, "duration_ms": 12}
        | {"response": {"headers": [{"name": "Server", "value": "x"}], "body": "no"}}
    )
    await client.jetstream().publish(fact.subject, fact.model_dump_json().encode(), stream=DELIVERIES)

    async def listed() -> list[Any]:
        return await user.all_of(hooks.deliveries, hook)

    (delivery,) = await until(listed)
    assert (delivery.status, delivery.outcome, delivery.response_status) == (mc.Status.QUEUED, "failed", 500)
    detail = await user.do(hooks.delivery, hook, delivery)
    assert detail.request_body
    assert mc.Job.from_json(detail.request_body).id == job.id
    assert detail.response
    assert ([header.name for header in detail.response.headers], detail.response.body) == (["Server"], "no")
    assert (await user.do(hooks.redeliver, hook, delivery)).message_id
    assert (delivery.test, (await user.do(hooks.test, hook)).message_id.startswith("msg_")) == (False, True)
    rotated = await user.do(hooks.rotate, hook, overlap_seconds=60)
    assert (rotated.secret_token != moved.secret_token, rotated.previous_secret_expires_at is not None) == (True, True)
    await user.do(hooks.delete, hook)
    with pytest.raises(mc.NotFound):
        await user.do(hooks.delete, hook)
    with pytest.raises(mc.InvalidRequest) as raised:
        await user.do(hooks.create, "ftp://example.com")
    assert raised.value.fields.keys() == {"url"}


async def test_tokens(user: Program, account: Account) -> None:
    with pytest.raises(mc.ApiError):
        await user.do(user.millrace.login, account.username, "wrong")
    token = await user.do(user.millrace.login, account.username, PASSWORD, token_name="laptop")
    (current,) = [each for each in await user.all_of(user.millrace.tokens.list) if each.current]
    assert (current.name, current.username) == ("laptop", account.username)
    assert token.token not in repr(token)
    named = await user.do(user.millrace.tokens.rename, current, "desk")
    assert (await user.do(user.millrace.tokens.get, current.id)).name == named.name == "desk"
    await user.do(user.millrace.logout)
    user.millrace.core.use_token(token.token)
    with pytest.raises(mc.InvalidToken, match="MILLRACE_TOKEN"):
        await user.all_of(user.millrace.tokens.list)
    user.millrace.core.use_token(account.token)
    with pytest.raises(mc.NotFound):
        await user.do(user.millrace.tokens.revoke, current)


async def test_members_and_tokens_of_roles(user: Program, account: Account, kind: str) -> None:
    members, name = user.millrace.members, f"ann.{kind}"
    added = await user.do(members.add, name, "viewer", password="battery staple horse")
    assert (added.username, added.role, added.current) == (name, "viewer", False)
    assert (await user.do(members.change, added, "member")).role == "member"
    assert {one.username for one in await user.all_of(members.list)} >= {account.username, name}
    await user.do(members.remove, name)
    with pytest.raises(mc.NotFound):
        await user.do(members.get, name)
    with pytest.raises(mc.Conflict, match="last admin"):
        await user.do(members.remove, account.username)
    made = await user.do(user.millrace.tokens.create, "dashboard", role="viewer", days=1)
    assert made.token not in repr(made)
    assert (await user.do(user.millrace.organization)).role == "admin"
    user.millrace.core.use_token(made.token)
    assert (await user.do(user.millrace.organization)).role == "viewer"
    with pytest.raises(mc.Forbidden, match="operator"):
        await user.all_of(user.millrace.server.workers)
    with pytest.raises(mc.Forbidden, match="no user"):
        await user.do(user.millrace.change_password, "a", "battery staple horse")


async def test_a_server_without_bus_users_says_so(user: Program) -> None:
    with pytest.raises(mc.Forbidden, match="Bus users"):
        await user.do(user.millrace.bus_users.create, "dashboard")


class Line:
    """A connection between client and server that can be cut."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self.port = free_port()
        self.events = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        try:
            yield
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        """End all connections without a word."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._writers |= {writer, up_writer}
        await asyncio.gather(self._copy(reader, up_writer), self._copy(up_reader, writer), return_exceptions=True)

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while piece := await source.read(65536):
                self.events += piece.count(b"event: job")
                target.write(piece)
                await target.drain()
        finally:
            target.close()


async def test_following_goes_on_where_the_connection_was_cut(
    kind: str, api: ApiProcess, account: Account, log: JobLog
) -> None:
    line = Line(api.api_port)
    async with line.open(), program(kind, f"http://127.0.0.1:{line.port}", account) as user:
        job = await user.do(user.millrace.jobs.create, **job_body())
        following = asyncio.create_task(user.all_of(user.millrace.jobs.follow, job))

        async def told() -> bool:
            return line.events > 0

        await until(told, seconds=30)
        line.cut()
        await log.append(completed(job.id, account.org))
        states = await asyncio.wait_for(following, 60)
    assert [states[0].status, states[-1].status] == ["queued", "completed"]
    assert states[-1].raise_if_failed().outputs.master.endswith("video.m3u8")
    shown = [state.model_dump() for state in states]
    assert all(one != next_one for one, next_one in pairwise(shown))


def _constraints() -> str:
    """The versions of the lock."""
    return "\n".join(re.findall(r"(?m)^[\w.-]+==[\w.]+", (REPOSITORY / "requirements.lock").read_text()))


async def test_the_wheel_works_in_an_environment_of_its_own(api: ApiProcess, account: Account, tmp_path: Path) -> None:
    await asyncio.to_thread(_install, tmp_path)
    environment = {"MILLRACE_API_URL": api.url, "MILLRACE_ORG": account.org, "MILLRACE_TOKEN": account.token}
    script = "import json, sys, millrace_client as mc; print(mc.Millrace().jobs.create(**json.load(sys.stdin)).id)"
    done = await asyncio.create_subprocess_exec(
        str(tmp_path / "venv/bin/python"), "-I", "-c", script,
        env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, _ = await asyncio.wait_for(done.communicate(json.dumps(job_body()).encode()), 60)
    bare = await asyncio.create_subprocess_exec(str(tmp_path / "venv/bin/millrace"), stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(bare.communicate(), 60)
    assert (bare.returncode, b"millrace-client[cli]" in said) == (2, True)
    with mc.Millrace(api.url, account.org, account.token) as millrace:
        assert (await asyncio.to_thread(millrace.jobs.get, printed.decode().strip())).status in set(mc.Status)


def _install(folder: Path) -> None:
    # Built out of a copy, as from an unpacked archive, so that nothing of a build stays behind.
    shutil.copytree(REPOSITORY / "client", folder / "client", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    venv.create(folder / "venv", with_pip=False)
    (folder / "constraints.txt").write_text(_constraints())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", "wheels", "./client"]
    subprocess.run(build, cwd=folder, check=True, capture_output=True, timeout=120)
    (wheel,) = (folder / "wheels").glob("millrace_client-*.whl")
    install = [
        *pip,
        "--python",
        "venv/bin/python",
        "install",
        "--only-binary",
        ":all:",
        "--constraint",
        "constraints.txt",
        str(wheel),
    ]
    done = subprocess.run(install, cwd=folder, check=False, capture_output=True, text=True, timeout=180, env=os.environ)
    assert done.returncode == 0, done.stderr

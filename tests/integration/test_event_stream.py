"""A job's state as server-sent events: a real server, a real client, real NATS and Postgres."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web
from nats.aio.client import Client
from pydantic import SecretStr

from services.api.accounts.sessions import Session
from services.api.contract.listing import MOST_FOLLOWED, read_fields, read_followed
from services.api.database.pool import Connection, Database, close_pool, open_pool
from services.api.http.event_response import send_events
from services.api.http.list_events import send_list_events
from services.api.http.middleware import answer_errors
from services.api.jobs import event_stream
from services.api.jobs.event_stream import EventStream, Frame, Watch, make_frame
from services.api.jobs.live import LiveProgress
from services.api.projection.projection import apply_events
from shared import events as ev
from shared.bus.joblog import JobLog
from shared.bus.subjects import progress_subject
from shared.ids import new_job_id
from shared.job import Job
from tests.support.bus import tell, until
from tests.support.leading import leading, leads
from tests.support.ports import free_port
from tests.support.samples import ORG, created, failed, fetched, plan, requested, whole_life
from tests.support.schema import migrated


@dataclass
class Api:
    """An api that serves streams, and what a test wants of its insides."""

    address: str
    stream: EventStream
    runner: web.AppRunner
    log: JobLog
    client: Client
    connection: Connection


@pytest.fixture
async def url(database_url: str) -> str:
    return await migrated(database_url)


@asynccontextmanager
async def serving(url: str, client: Client) -> AsyncIterator[Api]:
    pool = await open_pool(SecretStr(url), 5)
    connection = await asyncpg.connect(url)
    live = LiveProgress(client)
    stream = EventStream(Database(pool), client, live)
    await live.start()
    await stream.start()

    async def events(request: web.Request) -> web.StreamResponse:
        org, job = request.match_info["org"], request.match_info["job"]
        return await send_events(stream, request, org, job, Session(), read_fields(list(request.query.items())))

    app = web.Application(middlewares=[answer_errors])

    async def list_events(request: web.Request) -> web.StreamResponse:
        ids, fields = read_followed(list(request.query.items()))
        return await send_list_events(stream, request, request.match_info["org"], ids, Session(), fields)

    app.add_routes([web.get("/{org}/list/", list_events), web.get("/{org}/{job}/", events)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield Api(f"http://127.0.0.1:{port}", stream, runner, JobLog(client), client, connection)
    finally:
        await stream.stop()
        await runner.cleanup()
        await live.stop()
        await connection.close()
        await close_pool(pool)


@pytest.fixture
async def api(url: str, client: Client) -> AsyncIterator[Api]:
    """With a leader that projects."""
    await _empty(url)
    async with serving(url, client) as api, leading(url, client, active=0) as leader:
        await until(leads(leader))
        yield api


@pytest.fixture
async def still_api(url: str, client: Client) -> AsyncIterator[Api]:
    """Without a leader: the rows change when the test changes them."""
    await _empty(url)
    async with serving(url, client) as api:
        yield api


async def _empty(url: str) -> None:
    # The log of every test begins anew, and so must what was read of it.
    connection = await asyncpg.connect(url)
    await connection.execute("truncate jobs, offsets, progress_shown, deliveries")
    await connection.close()


@dataclass(frozen=True)
class Message:
    """One server-sent event."""

    event: str
    id: int
    data: dict[str, Any]
    at: float


class Listener:
    """Reads a stream as an EventSource does."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.comments = 0

    async def next(self, seconds: float = 10) -> Message | None:
        """The next event, or None at the end of the stream."""
        async with asyncio.timeout(seconds):
            fields: dict[str, list[str]] = {}
            while line := await self.response.content.readline():
                text = line.decode().rstrip("\n")
                if not text and "data" in fields:
                    data = json.loads("\n".join(fields["data"]))
                    return Message(fields["event"][0], int(fields.get("id", ["0"])[0]), data, time.monotonic())
                name, _, value = text.partition(": ")
                if name.startswith(":") or text.startswith(": "):
                    self.comments += 1
                elif text:
                    fields.setdefault(name, []).append(value)
            return None

    async def rest(self, seconds: float = 20) -> list[Message]:
        """All events to the end of the stream."""
        messages = []
        while message := await self.next(seconds):
            messages.append(message)
        return messages


@asynccontextmanager
async def listening(api: Api, job: str, org: str = ORG, *, query: str = "", **headers: str) -> AsyncIterator[Listener]:
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"{api.address}/{org}/{job}/{query}", headers=headers) as response,
    ):
        yield Listener(response)


async def make(api: Api, job: str, **fields: Any) -> None:
    recorded = await tell(api.log, [created(job, **fields)])
    await apply_events(api.connection, recorded)


async def test_the_state_comes_at_once(api: Api) -> None:
    job = new_job_id()
    await make(api, job)
    async with listening(api, job) as listener:
        assert listener.response.status == 200
        assert listener.response.headers["Content-Type"] == "text/event-stream"
        assert "no-cache" in listener.response.headers["Cache-Control"]
        message = await listener.next(2)
    assert message
    assert message.event == "job"
    assert (message.data["id"], message.data["status"], message.data["stage"], message.data["progress"]) == (
        job,
        "queued",
        "queued",
        0,
    )


async def test_from_the_first_to_the_last_state(api: Api) -> None:
    job = new_job_id()
    await make(api, job)
    life = whole_life(job)[1:]
    async with listening(api, job) as listener:
        telling = asyncio.create_task(_slowly(api.log, life))
        messages = await listener.rest()
        last = (await telling)[-1]
    seen = list(dict.fromkeys((message.data["status"], message.data["stage"]) for message in messages))
    assert seen == [
        ("queued", "queued"),
        ("transcoding", "fetching"),
        ("transcoding", "transcoding"),
        ("transcoding", "uploading"),
        ("completed", "done"),
    ]
    assert messages[-1].id == last.sequence
    assert messages[-1].data["outputs"]["master"]
    percents = [message.data["progress"] for message in messages]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    ids = [message.id for message in messages]
    assert ids == sorted(ids)


async def test_several_jobs_and_their_list_are_followed_by_one_stream(api: Api) -> None:
    first, second, other, gone = (new_job_id() for _ in range(4))
    for job in (first, second, other):
        await make(api, job)
    async with listening(api, "list", query=f"?ids={first},{second},{gone}&fields=status") as listener:
        begin = [await listener.next(), await listener.next()]
        assert [message.data for message in begin if message] == [
            {"id": first, "status": "queued"},
            {"id": second, "status": "queued"},
        ]
        # A job that nobody asked for is a change of the list, and so is one that comes to another status.
        await tell(api.log, [ev.Started(org=ORG, job=other)])
        message = await listener.next()
        assert message and (message.event, message.data) == ("list", {})
        await tell(api.log, [ev.Cancelled(org=ORG, job=second)])
        messages = [await listener.next(), await listener.next()]
        assert sorted((message.event, message.data.get("status", "")) for message in messages if message) == [
            ("job", "cancelled"),
            ("list", ""),
        ]
        assert api.stream.watched == 3

    async def forgotten() -> bool:
        return api.stream.watched == 0

    await until(forgotten)


async def test_a_list_may_be_followed_without_any_job(api: Api) -> None:
    async with listening(api, "list") as listener:
        job = new_job_id()
        await make(api, job)
        message = await listener.next()
        assert message and message.event == "list"
    # Another organization's jobs are nobody's business.
    async with listening(api, "list", "zzzzzz", query=f"?ids={job}") as listener, listening(api, "list") as mine:
        await tell(api.log, [ev.Started(org=ORG, job=job)])
        assert await mine.next()
        with pytest.raises(TimeoutError):
            await listener.next(0.5)


async def test_not_too_many_are_followed_by_one_stream(api: Api) -> None:
    ids = ",".join(new_job_id() for _ in range(MOST_FOLLOWED + 1))
    async with listening(api, "list", query=f"?ids={ids}") as listener:
        assert listener.response.status == 400


async def test_members_that_were_asked_for_come_alone_and_when_they_change(api: Api) -> None:
    job = new_job_id()
    await make(api, job)
    async with listening(api, job, query="?fields=id,status") as listener:
        telling = asyncio.create_task(_slowly(api.log, whole_life(job)[1:]))
        messages = await listener.rest()
        last = (await telling)[-1]
    statuses = ("queued", "transcoding", "completed")
    assert [message.data for message in messages] == [{"id": job, "status": status} for status in statuses]
    assert messages[-1].id == last.sequence
    async with listening(api, job, query="?fields=state") as listener:
        assert listener.response.status == 400


async def _slowly(log: JobLog, events: list[ev.Event]) -> list[Any]:
    recorded = []
    for event in events:
        recorded += await tell(log, [event])
        await asyncio.sleep(0.3)
    return recorded


async def test_a_change_is_told_soon(api: Api) -> None:
    job = new_job_id()
    await make(api, job)
    async with listening(api, job) as listener:
        await listener.next()
        await asyncio.sleep(0.5)
        said = time.monotonic()
        await api.log.append(ev.Started(org=ORG, job=job))
        message = await listener.next()
    assert message and message.data["status"] == "transcoding"
    assert message.at - said < 0.5


async def test_live_progress_is_told_a_few_times_a_second(api: Api) -> None:
    job = new_job_id()
    await make(api, job)
    encode = plan(1, audio=0)
    begin = [ev.Started(org=ORG, job=job), fetched(job, encode=encode), requested(job, "v0000", encode)]
    last = (await tell(api.log, begin))[-1].sequence

    async def projected() -> bool:
        return bool(await api.connection.fetchval("select last_sequence >= $2 from jobs where id = $1", job, last))

    await until(projected)
    async with listening(api, job) as listener:
        telling = asyncio.create_task(_progress(api, job))
        began = time.monotonic()
        messages = []
        while (message := await listener.next()) and message.data["progress"] < 89:
            messages.append(message)
        seconds = time.monotonic() - began
        await telling
    percents = [message.data["progress"] for message in messages]
    assert percents == sorted(set(percents)), "the same was told twice, or it fell"
    assert 3 <= len(messages) <= seconds * 4 + 2
    assert len({message.id for message in messages[1:]}) == 1, "no event of the log came meanwhile"


async def _progress(api: Api, job: str) -> None:
    for step in range(1, 101):
        await api.client.publish(progress_subject(ORG, job, "v0000"), f"{step / 100:.2f}".encode())
        await asyncio.sleep(0.02)


async def test_it_never_shows_an_older_state_than_the_tables(still_api: Api) -> None:
    """The bus has told of an event that is not projected yet: the stream waits for the row, and does not look back either."""
    api, job = still_api, new_job_id()
    await make(api, job)
    async with listening(api, job) as listener, listening(api, job) as other:
        await listener.next()
        await other.next()
        recorded = await tell(api.log, [ev.Started(org=ORG, job=job)])
        with pytest.raises(TimeoutError):
            await listener.next(0.5)
        await apply_events(api.connection, recorded)
        message = await listener.next(2)
        assert message and message.data["status"] == "transcoding"
        # Whoever comes now must not be given what the others were sent before this.
        recorded = await tell(api.log, [fetched(job)])
        await apply_events(api.connection, recorded)
        async with listening(api, job) as late:
            message = await late.next(2)
            assert message and message.data["stage"] == "transcoding"


async def test_the_end_is_told_without_a_pause(still_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "PAUSE_SECONDS", 3600)
    api, job = still_api, new_job_id()
    await make(api, job)
    async with listening(api, job) as listener:
        await listener.next()
        for event, status in (
            (ev.Started(org=ORG, job=job), "transcoding"),
            (ev.Cancelled(org=ORG, job=job), "cancelled"),
        ):
            await apply_events(api.connection, await tell(api.log, [event]))
            message = await listener.next()
            assert message and message.data["status"] == status


async def test_what_was_said_just_before_is_shown_once_it_is_projected(
    still_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody hears of it again: the row has to be looked at for itself, and sooner than once in a long while."""
    monkeypatch.setattr(event_stream, "_LOOK_SECONDS", 3600)
    api, job = still_api, new_job_id()
    await make(api, job)
    recorded = await tell(api.log, [ev.Cancelled(org=ORG, job=job)])
    async with listening(api, job) as listener:
        message = await listener.next()
        assert message and message.data["status"] == "queued"
        await apply_events(api.connection, recorded)
        message = await listener.next()
        assert message and message.data["status"] == "cancelled"


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
async def test_a_finished_job_is_told_once_and_for_all(still_api: Api, end: str) -> None:
    api, job = still_api, new_job_id()
    ends = {"completed": None, "failed": failed(job), "cancelled": ev.Cancelled(org=ORG, job=job)}
    recorded = await tell(api.log, whole_life(job, end=ends[end]))
    await apply_events(api.connection, recorded)
    async with listening(api, job) as listener:
        (message,) = await listener.rest(3)
    assert message.data["stage"] == "done"
    assert message.data["status"] == {"completed": "completed", "failed": "error", "cancelled": "cancelled"}[end]
    # An EventSource comes again by itself, and is told that there is nothing more to come.
    async with listening(api, job, **{"Last-Event-ID": str(message.id)}) as again:
        assert again.response.status == 204
    async with listening(api, job, **{"Last-Event-ID": "rubbish"}) as again:
        assert len(await again.rest(3)) == 1


async def test_last_event_id_of_a_running_job_is_no_obstacle(still_api: Api) -> None:
    api, job = still_api, new_job_id()
    await make(api, job)
    async with listening(api, job, **{"Last-Event-ID": "1"}) as listener:
        message = await listener.next(2)
        assert message and message.data["status"] == "queued"


async def test_a_job_that_is_not_there_or_somebody_elses(still_api: Api) -> None:
    api, job = still_api, new_job_id()
    await make(api, job)
    for org, name in ((ORG, new_job_id()), ("other0", job)):
        async with listening(api, name, org) as listener:
            assert listener.response.status == 404
            assert await listener.response.json() == {"detail": "Not found."}
    assert api.stream.watched == 0
    # Nor does asking for it disturb its owner's stream.
    async with listening(api, job) as listener:
        await listener.next()
        async with listening(api, job, "other0") as stranger:
            assert stranger.response.status == 404
        await apply_events(api.connection, await tell(api.log, [ev.Started(org=ORG, job=job)]))
        message = await listener.next(2)
        assert message and message.data["status"] == "transcoding"


async def test_metadata_with_line_breaks_arrives_whole(still_api: Api) -> None:
    api, job = still_api, new_job_id()
    text = '{\n  "a": [1,\r\n 2],\r  "u": "\u2028 \u0085 é"\n}'
    await make(api, job, client_metadata=text)
    async with listening(api, job) as listener:
        message = await listener.next(2)
    assert message and message.data["client_metadata"] == {"a": [1, 2], "u": "\u2028 \u0085 é"}


async def test_the_line_is_kept_alive(still_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.http.event_response.KEEP_ALIVE_SECONDS", 0.4)
    monkeypatch.setattr("services.api.http.event_response.GONE_SECONDS", 0.1)
    api, job = still_api, new_job_id()
    await make(api, job)
    async with listening(api, job) as listener:
        await listener.next()
        with pytest.raises(TimeoutError):
            await listener.next(1.5)
        assert listener.comments >= 2


async def test_who_leaves_is_forgotten(still_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.http.event_response.GONE_SECONDS", 0.1)
    api, job = still_api, new_job_id()
    await make(api, job)
    async with listening(api, job) as listener:
        await listener.next()
        async with listening(api, job) as other:
            await other.next()
            assert api.stream.watched == 1
    await until(lambda: _watches(api, 0))

    async def nobody_reads() -> bool:
        return not any("Watch" in repr(task.get_coro()) for task in asyncio.all_tasks())

    await until(nobody_reads)


async def _watches(api: Api, count: int) -> bool:
    return api.stream.watched == count


async def test_many_listeners_share_one_reader(still_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    reads, read = 0, Watch.read

    async def counted(watch: Watch) -> Frame | None:
        nonlocal reads
        reads += 1
        return await read(watch)

    monkeypatch.setattr(Watch, "read", counted)
    api, jobs = still_api, [new_job_id() for _ in range(3)]
    for job in jobs:
        await make(api, job)
    subscriptions = len(api.client._subs)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
    ) as session:
        responses = [await session.get(f"{api.address}/{ORG}/{jobs[number % 3]}/") for number in range(150)]
        listeners = [Listener(response) for response in responses]
        for listener in listeners:
            assert await listener.next()
        assert api.stream.watched == 3
        assert len(api.client._subs) == subscriptions
        assert reads >= 150, "each sees the state of his own moment first"
        reads = 0
        for job in jobs:
            await apply_events(api.connection, await tell(api.log, [ev.Cancelled(org=ORG, job=job)]))
        for listener in listeners:
            (message,) = await listener.rest(5)
            assert message.data["status"] == "cancelled"
        assert reads < 30, "every listener read the row for himself"
        for response in responses:
            response.close()


async def test_streams_end_when_the_server_stops(still_api: Api) -> None:
    api, job = still_api, new_job_id()
    await make(api, job)
    async with listening(api, job) as listener:
        await listener.next()
        stopped = time.monotonic()
        await api.stream.stop()
        assert await listener.rest(3) == []
        await api.runner.cleanup()
        assert time.monotonic() - stopped < 2


async def test_postgres_being_away_for_a_moment_ends_no_stream(still_api: Api) -> None:
    api, job = still_api, new_job_id()
    await make(api, job)
    async with listening(api, job) as listener:
        await listener.next()
        await api.connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'millrace-api' and datname = current_database()"
        )
        await apply_events(api.connection, await tell(api.log, [ev.Started(org=ORG, job=job)]))
        message = await listener.next(5)
        assert message and message.data["status"] == "transcoding"


def test_a_frame_is_one_message() -> None:
    job = Job.model_validate(
        created("5KQfnXCg8Qh").model_dump() | {"id": "5KQfnXCg8Qh", "created": created("5KQfnXCg8Qh").at}
    )
    frame = make_frame(job, 42, 7)
    message = frame.message(frame.shown(None))
    assert message.startswith(b"event: job\nid: 42\ndata: {")
    assert message.endswith(b"}\n\n")
    assert message.count(b"\n\n") == 1
    assert frame.message(frame.shown({"status", "id"})) == (
        b'event: job\nid: 42\ndata: {"id": "5KQfnXCg8Qh", "status": "queued"}\n\n'
    )
    assert (frame.place, frame.final) == ((42, 7, 0), False)

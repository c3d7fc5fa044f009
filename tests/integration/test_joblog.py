"""The log of a job on a real server: what it takes, what it refuses, and what it gives back."""

import asyncio
import json
from typing import Any

import pytest
from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeoutError

from shared import events as ev
from shared.bus.errors import BusUnavailable
from shared.bus.joblog import Appended, JobEnded, JobLog
from shared.bus.topology import JOBS
from shared.ids import new_job_id
from tests.support.bus import tell
from tests.support.samples import ORG, completed, created, failed, fetched, plan, transcoded, uploaded, whole_life


async def test_a_fact_is_stored_once(log: JobLog) -> None:
    job = new_job_id()
    first = await log.append(created(job))
    again = await log.append(created(job, input_url="https://example.com/other.mp4"))
    assert first.new
    assert not again.new
    assert again.recorded.sequence == first.recorded.sequence
    assert isinstance(again.recorded.event, ev.Created)
    assert again.recorded.event.input_url == "https://example.com/video.mp4"
    assert len(await log.read(ORG, job)) == 1


async def test_exactly_one_end_among_twenty(client: Client) -> None:
    job = new_job_id()
    logs = [JobLog(client) for _ in range(20)]
    await logs[0].append(created(job))
    ends = [[completed(job), failed(job), ev.Cancelled(org=ORG, job=job)][number % 3] for number in range(20)]

    outcomes = await asyncio.gather(
        *(log.append(end) for log, end in zip(logs, ends, strict=True)), return_exceptions=True
    )

    new = [outcome for outcome in outcomes if isinstance(outcome, Appended) and outcome.new]
    assert len(new) == 1
    winner = new[0].recorded.event
    for outcome, end in zip(outcomes, ends, strict=True):
        if type(end) is type(winner):
            assert isinstance(outcome, Appended)
            assert outcome.recorded.sequence == new[0].recorded.sequence
        else:
            assert isinstance(outcome, JobEnded)
            assert outcome.end.token() == winner.token()
    stored = await log_subjects(client, job)
    assert [subject for subject in stored if ".end." in subject] == [f"jobs.{ORG}.{job}.{winner.token()}"]


async def test_nothing_follows_the_end(log: JobLog, client: Client) -> None:
    job = new_job_id()
    await tell(log, [created(job), ev.Cancelled(org=ORG, job=job)])
    for late in (ev.Admitted(org=ORG, job=job), uploaded(job, "v0000"), completed(job), created(job)):
        with pytest.raises(JobEnded):
            await log.append(late)
    assert len(await log_subjects(client, job)) == 2


async def test_an_end_races_with_work(client: Client) -> None:
    """Whatever the order they get there in, no event stands behind the end."""
    logs = [JobLog(client) for _ in range(8)]
    for _ in range(5):
        job = new_job_id()
        await logs[0].append(created(job))
        work = [log.append(uploaded(job, f"v{number:04d}")) for number, log in enumerate(logs)]
        await asyncio.gather(*work, logs[3].append(ev.Cancelled(org=ORG, job=job)), return_exceptions=True)
        events = await logs[0].read(ORG, job)
        assert [isinstance(item.event, ev.Cancelled) for item in events].index(True) == len(events) - 1


async def test_first_result_of_a_part_wins(client: Client) -> None:
    job = new_job_id()
    logs = [JobLog(client) for _ in range(10)]
    await logs[0].append(created(job))
    twins = [transcoded(job, "v0000").model_copy(update={"encoder": f"twin{number}"}) for number in range(10)]

    outcomes = await asyncio.gather(*(log.append(twin) for log, twin in zip(logs, twins, strict=True)))

    assert sum(outcome.new for outcome in outcomes) == 1
    winner = next(number for number, outcome in enumerate(outcomes) if outcome.new)
    encoders = {
        outcome.recorded.event.encoder for outcome in outcomes if isinstance(outcome.recorded.event, ev.PartTranscoded)
    }
    assert encoders == {f"twin{winner}"}
    assert len(await logs[0].read(ORG, job)) == 2


@pytest.mark.parametrize("stored", [True, False])
async def test_an_unknown_outcome_is_looked_up(client: Client, monkeypatch: pytest.MonkeyPatch, stored: bool) -> None:
    """The acknowledgement is lost, once after the server has stored the event and once before."""
    log = JobLog(client)
    job = new_job_id()
    await log.append(created(job))
    publish = log._js.publish
    calls = 0

    async def lossy(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            return await publish(*args, **kwargs)
        if stored:
            await publish(*args, **kwargs)
        raise NatsTimeoutError

    monkeypatch.setattr(log._js, "publish", lossy)
    appended = await log.append(ev.Started(org=ORG, job=job))
    assert appended.new, "our own event was taken for somebody else's"
    assert calls == (1 if stored else 2)
    assert len(await log_subjects(client, job)) == 2


async def test_a_late_publish_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that lay in a buffer while its job was cancelled does not get in any more."""
    log, other = JobLog(client), JobLog(client)
    job = new_job_id()
    await log.append(created(job))
    publish = log._js.publish

    async def slow(*args: Any, **kwargs: Any) -> Any:
        await other.append(ev.Cancelled(org=ORG, job=job))
        return await publish(*args, **kwargs)

    monkeypatch.setattr(log._js, "publish", slow)
    with pytest.raises(JobEnded):
        await log.append(completed(job))
    assert len(await log_subjects(client, job)) == 2


async def test_300_parts_are_read_whole_and_in_order(client: Client, log: JobLog) -> None:
    job, other = new_job_id(), new_job_id()
    encode = plan(300)
    life: list[ev.Event] = [
        created(job),
        ev.Admitted(org=ORG, job=job),
        ev.Started(org=ORG, job=job),
        fetched(job, encode=encode),
    ]
    for part in reversed(encode.release_order):
        life += [ev.PartRequested(org=ORG, job=job, part=part), transcoded(job, part), uploaded(job, part)]
    life.append(completed(job))
    sequences = await publish_all(client, life)
    await log.append(created(other))

    events = await log.read(ORG, job)
    assert [item.sequence for item in events] == sequences
    assert [item.event for item in events] == life


async def test_an_answer_in_several_helpings_is_whole(
    client: Client, log: JobLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.joblog.MAX_SUBJECTS_PER_READ", 7)
    job = new_job_id()
    life = whole_life(job, parts=30)
    sequences = await publish_all(client, life)
    assert [item.sequence for item in await log.read(ORG, job)] == sequences


async def test_a_job_that_is_not_there(log: JobLog) -> None:
    assert await log.read(ORG, new_job_id()) == []
    assert await log.end_of(ORG, new_job_id()) is None
    assert await log.fact(ORG, new_job_id(), ev.Fetched) is None


async def test_read_waits_for_what_is_known_to_be_there(client: Client, log: JobLog) -> None:
    job = new_job_id()
    first = (await log.append(created(job))).recorded.sequence
    reading = asyncio.create_task(log.read(ORG, job, at_least=first + 1))
    await asyncio.sleep(0.1)
    assert not reading.done()
    await log.append(ev.Admitted(org=ORG, job=job))
    assert [item.event.token() for item in await reading] == ["created", "admitted"]


async def test_read_gives_up_on_what_never_comes(log: JobLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.bus.joblog.PUBLISH_TIMEOUT", 0.3)
    job = new_job_id()
    await log.append(created(job))
    with pytest.raises(BusUnavailable):
        await log.read(ORG, job, at_least=10**9)


async def test_reading_beside_writing_leaves_no_gap(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is appended between the requests of one read is in none of its answers: a part must not come without its plan."""
    writer, reader = JobLog(client), JobLog(client)
    job = new_job_id()
    await writer.append(created(job))
    request, written = reader._last_of_each, asyncio.Event()

    async def slow(filters: list[str], head: int) -> Any:
        if f"jobs.{ORG}.{job}.*" in filters:
            answer = await request(filters, head)
            await tell(writer, [fetched(job), ev.PartRequested(org=ORG, job=job, part="v0000")])
            written.set()
            return answer
        await written.wait()
        return await request(filters, head)

    monkeypatch.setattr(reader, "_last_of_each", slow)
    assert [item.event.token() for item in await reader.read(ORG, job)] == ["created"]
    monkeypatch.undo()
    assert [item.event.token() for item in await reader.read(ORG, job)] == [
        "created",
        "fetched",
        "part_requested.v0000",
    ]


async def test_what_is_no_event_is_left_out(client: Client, log: JobLog) -> None:
    job, other = new_job_id(), new_job_id()
    await log.append(created(job))
    js = client.jetstream()
    await js.publish(f"jobs.{ORG}.{job}.started", b"not json", stream=JOBS)
    await js.publish(f"jobs.{ORG}.{job}.fetched", json.dumps({"type": "fetched", "v": 99}).encode(), stream=JOBS)
    # Another job's event on this job's subject.
    await js.publish(
        f"jobs.{ORG}.{job}.end.cancelled", ev.Cancelled(org=ORG, job=other).model_dump_json().encode(), stream=JOBS
    )
    assert [item.event.token() for item in await log.read(ORG, job)] == ["created"]


async def test_facts(log: JobLog) -> None:
    job = new_job_id()
    await tell(log, [created(job), fetched(job), failed(job)])
    found = await log.fact(ORG, job, ev.Fetched)
    assert found and found.plan == plan()
    end = await log.end_of(ORG, job)
    assert end and isinstance(end.event, ev.Failed)


async def log_subjects(client: Client, job: str) -> dict[str, int]:
    info = await client.jetstream().stream_info(JOBS, subjects_filter=f"jobs.{ORG}.{job}.>")
    return info.state.subjects or {}


async def publish_all(client: Client, events: list[ev.Event]) -> list[int]:
    """Straight into the stream, for tests that need many."""
    js = client.jetstream()
    subject = f"jobs.{ORG}.{events[0].job}"
    return [
        (await js.publish(f"{subject}.{event.token()}", event.model_dump_json().encode(), stream=JOBS)).seq
        for event in events
    ]


async def test_a_server_that_reads_but_does_not_write(log: JobLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """So does NATS after its disk was full, until it is started again."""
    tries = 0

    async def unanswered(*_: Any, **__: Any) -> None:
        nonlocal tries
        tries += 1
        raise NatsTimeoutError

    monkeypatch.setattr(log._js, "publish", unanswered)
    with pytest.raises(BusUnavailable):
        await asyncio.wait_for(log.append(created(new_job_id())), 60)
    assert tries == 2

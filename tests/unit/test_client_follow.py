"""Following a job as a flow: what is opened, read and waited for, step by step, on a clock of the test."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

import millrace_client as mc
from millrace_client.core import Core
from millrace_client.follow import follow, wait
from millrace_client.settings import Settings
from millrace_client.sse import EventReader, ServerEvent
from millrace_client.steps import Answer, Close, Open, Pause, Read, Request, Send, Show, Step
from tests.unit.test_client_core import job_json

STREAM = Answer(200, {"content-type": "text/event-stream"})
CUT = mc.Unreachable("cut")
REFUSED = mc.Unreachable("refused", sent=False)


def event(sequence: int, **members: Any) -> bytes:
    return f"event: job\nid: {sequence}\ndata: {json.dumps(job_json(**members))}\n\n".encode()


def shown(**members: Any) -> Answer:
    return Answer(200, {}, json.dumps(job_json(**members)))


def json_end() -> Answer:
    return shown(status="Completed", progress=100)


class World:
    """A server that plays a script, in which time passes by pauses and by what the script says.

    Args:
        script: answers to requests and reads in turn; a number lets so many seconds pass before the next one.
    """

    def __init__(self, *script: Answer | bytes | mc.Unreachable | float) -> None:
        self._script = iter(script)
        self.now = 1000.0
        self.opened: list[Request] = []
        self.asked = 0
        self.pauses: list[float] = []
        self.open = False
        self.core = Core(Settings("http://api.test", "a1b2c3", "t"), mc.Retries(attempts=2), clock=lambda: self.now)

    def states(self, **how: Any) -> Iterator[mc.Job]:
        """What following shows."""
        flow = follow(self.core, "x", **how)
        came: Any = None
        while True:
            try:
                step = flow.throw(came) if isinstance(came, mc.Unreachable) else flow.send(came)
            except StopIteration:
                return
            came = None
            if isinstance(step, Show):
                yield step.item
            else:
                came = self.do(step)

    def end(self, **how: Any) -> mc.Job:
        """What waiting returns."""
        flow = wait(self.core, "x", **how)
        came: Any = None
        try:
            while True:
                step = flow.throw(came) if isinstance(came, mc.Unreachable) else flow.send(came)
                came = None if isinstance(step, Show) else self.do(step)
        except StopIteration as end:
            assert isinstance(end.value, mc.Job)
            return end.value

    def do(self, step: Step) -> Any:
        match step:
            case Pause(seconds):
                self.now += seconds
                self.pauses.append(seconds)
                return None
            case Close():
                self.open = False
                return None
            case Open(request):
                assert not self.open
                self.opened.append(request)
            case Send():
                self.asked += 1
            case Read():
                assert self.open
        came = self._next()
        self.open = came is STREAM or (self.open and isinstance(step, Read))
        return came

    def _next(self) -> Any:
        while isinstance(came := next(self._script), int | float):
            self.now += came
        return came


def test_a_stream_is_followed_to_the_end() -> None:
    first, second = event(3), event(7, status="completed", progress=100)
    world = World(STREAM, first[:20], first[20:], b": still here\n\n", second)
    assert [(job.status, job.progress) for job in world.states()] == [("queued", 0), ("completed", 100)]
    assert (len(world.opened), world.asked, world.pauses, world.open) == (1, 0, [], False)
    assert world.opened[0].url.endswith("/transcoding_jobs/x/events/")


@pytest.mark.parametrize("end", [b"", CUT], ids=["ended", "cut"])
def test_a_broken_stream_goes_on_where_it_broke(end: bytes | mc.Unreachable) -> None:
    script = (b"retry: 700\n\n", event(3), event(4)[:30], end, STREAM, event(3), event(9, status="error"))
    world = World(STREAM, *script)
    # The state with which it begins again has been shown.
    assert [job.status for job in world.states()] == ["queued", "error"]
    assert [request.headers.get("Last-Event-ID") for request in world.opened] == [None, "3"]
    assert world.pauses == [0.7]


def test_a_job_that_ended_while_nobody_listened() -> None:
    world = World(STREAM, event(3), CUT, Answer(204, {}), json_end())
    assert [job.status for job in world.states()] == ["queued", "completed"]


def test_where_no_events_come_through_the_job_is_asked_for() -> None:
    """A proxy that collects what is sent until the connection is given up."""
    silent: tuple[Answer | mc.Unreachable | float, ...] = (STREAM, 25, CUT)
    world = World(*silent, *[shown(progress=5)] * 12, *silent, shown(progress=5), shown(progress=90), json_end())
    assert [job.progress for job in world.states()] == [5, 90, 100]
    assert len(world.opened) == 2
    assert world.asked == 15


@pytest.mark.parametrize(
    "answer", [Answer(406, {}), Answer(200, {"content-type": "text/html"}, "<html>")], ids=["406", "html"]
)
def test_where_there_are_no_events_the_job_is_asked_for(answer: Answer) -> None:
    world = World(answer, shown(progress=5), json_end())
    assert [job.progress for job in world.states()] == [5, 100]
    assert world.pauses == [5.0]


def test_a_restart_of_the_server_is_waited_for() -> None:
    script = (
        STREAM,
        event(3),
        b"",
        REFUSED,
        Answer(503, {"retry-after": "9"}, "{}"),
        STREAM,
        event(9, status="cancelled"),
    )
    world = World(*script)
    assert [job.status for job in world.states()] == ["queued", "cancelled"]
    assert (world.asked, world.pauses) == (0, [2.0, 2.0, 9.0])


def test_patience_has_an_end() -> None:
    world = World(STREAM, event(3), CUT, *[REFUSED] * 100)
    with pytest.raises(mc.Unreachable, match="refused"):
        list(world.states(patience=30))
    assert 30 < sum(world.pauses) < 40


@pytest.mark.parametrize("status", [401, 403])
def test_what_does_not_go_away_ends_it(status: int) -> None:
    with pytest.raises(mc.ApiError):
        list(World(Answer(status, {}, '{"detail": "No."}')).states())


def test_an_unknown_job_is_said_to_be_unknown() -> None:
    world = World(Answer(404, {}, '{"detail": "Not found."}'), Answer(404, {}, '{"detail": "Not found."}'))
    with pytest.raises(mc.NotFound):
        list(world.states())


def test_waiting_returns_the_end() -> None:
    assert World(STREAM, event(3), event(4, status="error")).end().status == "error"


def test_waiting_ends_in_time() -> None:
    world = World(STREAM, event(3), 15, b": still here\n\n", 15, b": still here\n\n", *[shown()] * 30)
    with pytest.raises(mc.WaitTimedOut, match="queued, 0 %") as raised:
        world.end(timeout=45)
    assert world.now == 1045
    assert raised.value.job
    assert not world.open


def test_waiting_no_time_at_all_looks_once() -> None:
    assert World(json_end()).end(timeout=0).finished
    with pytest.raises(mc.WaitTimedOut):
        World(shown()).end(timeout=0)
    with pytest.raises(mc.Unreachable):
        World(REFUSED, REFUSED).end(timeout=0)


def test_who_stops_listening_leaves_nothing_open() -> None:
    flow = follow(World().core, "x")
    flow.send(None)
    flow.close()


TEXT = ":c\r\nevent: job\r\nid: 1\r\ndata: a\rdata:  b\ndata\n\nid: 2\n\ndata:é\n\nretry: 10\ndata: lost"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_read_from_pieces_of_any_size(size: int) -> None:
    reader, sent = EventReader(), b"\xef\xbb\xbf" + TEXT.encode()
    found = [each for at in range(0, len(sent), size) for each in reader.feed(sent[at : at + size])]
    assert found == [ServerEvent("job", "a\n b\n", "1"), ServerEvent("message", "é", "2")]
    assert (reader.last_id, reader.retry_seconds) == ("2", 0.01)


def test_half_an_event_is_forgotten_with_its_connection() -> None:
    reader = EventReader()
    assert not reader.feed(b"id: 1\n\nid: 2\ndata: half")
    reader.begin()
    assert reader.feed(b"data: whole\n\n") == [ServerEvent("message", "whole", "1")]

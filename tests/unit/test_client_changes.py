"""Changes of status over the whole organization: each is shown once, whatever the stream does."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

import millrace_client as mc
from millrace_client.changes import changes
from millrace_client.core import Core
from millrace_client.settings import Settings
from millrace_client.steps import Answer, Close, Open, Pause, Read, Send, Show
from tests.unit.test_client_core import job_json

STREAM = Answer(200, {"content-type": "text/event-stream"})
LIST = b"event: list\ndata: {}\n\n"
CUT = mc.Unreachable("cut")


def job(name: str, status: str) -> dict[str, Any]:
    return job_json(status=status) | {"id": name}


def event(name: str, status: str) -> bytes:
    return f"event: job\ndata: {json.dumps(job(name, status))}\n\n".encode()


class Server:
    """Has a list of jobs, and says on its stream what the script has; what is callable changes the list."""

    def __init__(self, *script: Any) -> None:
        self.jobs: dict[str, str] = {}
        self.opened: list[str] = []
        self._script = iter(script)
        self.now = 0.0
        self._core = Core(Settings("http://api.test", "a1b2c3", "t"), mc.Retries(attempts=1), clock=lambda: self.now)

    def shown(self, most: int, **how: Any) -> list[tuple[str, str]]:
        return [(job.id, str(job.status)) for job in islice(self._all(**how), most)]

    def _all(self, **how: Any) -> Iterator[mc.Job]:
        feed, came = changes(self._core, **how), None
        while True:
            step = feed.throw(came) if isinstance(came, mc.Unreachable) else feed.send(came)
            came = None
            if isinstance(step, Show):
                yield step.item
            else:
                came = self._do(step)

    def _do(self, step: Any) -> Any:
        match step:
            case Send(request):
                wanted = [("queued", "transcoding"), ("",)]["status=" not in request.url]
                found = [job(name, status) for name, status in self.jobs.items() if wanted == ("",) or status in wanted]
                page = {"count": len(found), "next": None, "previous": None, "results": found[::-1]}
                return Answer(200, {}, json.dumps(page))
            case Open(request):
                self.opened.append(request.url.partition("?")[2])
                return self._next()
            case Read():
                return self._next()
            case Pause(seconds):
                self.now += seconds
                return None
            case Close():
                return None
        raise AssertionError(step)

    def _next(self) -> Any:
        while True:
            came = next(self._script)
            if not isinstance(came, dict | float):
                return came
            if isinstance(came, float):
                self.now += came
            else:
                self.jobs |= came


def test_what_was_there_is_no_news_and_what_changes_is_told_once() -> None:
    server = Server(
        STREAM, event("a", "queued"), event("a", "transcoding"), event("a", "transcoding"),
        {"a": "transcoding", "b": "queued"}, LIST, STREAM, event("b", "queued"), event("a", "completed"),
    )  # fmt: skip
    server.jobs = {"old": "completed", "a": "queued"}
    begun: list[list[str]] = []
    shown = server.shown(3, on_begin=lambda: begun.append(server.opened[:]))
    assert shown == [("a", "transcoding"), ("b", "queued"), ("a", "completed")]
    assert begun == [[]]
    assert server.opened == ["ids=a", "ids=b%2Ca"]


def test_a_job_that_came_and_went_meanwhile_is_told_too() -> None:
    server = Server(STREAM, {"c": "error"}, LIST, STREAM)
    assert server.shown(1) == [("c", "error")]
    assert server.opened == [""]


def test_a_broken_stream_loses_nothing() -> None:
    server = Server(STREAM, CUT, {"a": "queued"}, STREAM, b"", {"a": "transcoding"}, STREAM)
    # What came while nobody listened shows when the list is read again.
    server.jobs = {}
    assert server.shown(1) == [("a", "queued")]


def test_a_server_that_stays_away_is_given_up() -> None:
    server = Server(STREAM, 400.0, CUT)
    with pytest.raises(mc.Unreachable):
        server.shown(1, patience=300)


def test_where_no_events_come_through_the_list_is_asked_for() -> None:
    server = Server(Answer(200, {"content-type": "text/html"}), {"a": "queued"}, Answer(404, {}))
    assert server.shown(1) == [("a", "queued")]
    assert server.now > 0

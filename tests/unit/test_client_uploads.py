"""The flow of an upload: what is sent where, what is tried again, and what is given up."""

import json
from pathlib import Path
from typing import Any

import pytest

import millrace_client as mc
from millrace_client.core import Core
from millrace_client.settings import Settings
from millrace_client.steps import Answer, Flow, Measure, Pause, Send, SendPiece
from millrace_client.uploads import upload

MIB = 1024 * 1024
SHOWN = {
    "id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "filename": "a.mp4",
    "size": 12 * MIB,
    "state": "open",
    "input_url": "s3://bucket/uploads/x/a.mp4",
    "created": "2026-01-01T00:00:00Z",
    "expires_at": "2026-01-02T00:00:00Z",
}
WHOLE = SHOWN | {"url": "https://s3.test/a?sig", "headers": {"Content-Type": "video/mp4"}, "parts": None}
PARTS = SHOWN | {
    "headers": {},
    "parts": [
        {"number": 1, "size": 5 * MIB, "url": "https://s3.test/1"},
        {"number": 2, "size": 5 * MIB, "url": "https://s3.test/2"},
        {"number": 3, "size": 2 * MIB, "url": "https://s3.test/3"},
    ],
}
DONE = Answer(200, {}, json.dumps(SHOWN | {"state": "completed"}))


class Wire:
    """Answers steps by a script, and keeps what was asked for.

    Args:
        pieces: what the storage says to each piece, one after the other; 200 once they are used up.
    """

    def __init__(self, begun: dict[str, Any], *pieces: Answer | mc.Unreachable) -> None:
        self._begun = begun
        self._pieces = list(pieces)
        self.calls: list[str] = []
        self.bodies: list[Any] = []
        self.sent: list[tuple[str, int, int]] = []
        self.progress: list[tuple[int, int]] = []
        self.core = Core(Settings("http://api.test", "a1b2c3", "t"), mc.Retries(attempts=3))

    def run(self, flow: Flow[mc.Upload]) -> mc.Upload:
        came: Any = None
        try:
            while True:
                step = flow.throw(came) if isinstance(came, mc.Unreachable) else flow.send(came)
                came = self._do(step)
        except StopIteration as end:
            assert isinstance(end.value, mc.Upload)
            return end.value

    def upload(self, **how: Any) -> mc.Upload:
        tell = lambda sent, size: self.progress.append((sent, size))  # noqa: E731
        return self.run(upload(self.core, Path("films/a.mp4"), progress=tell, **how))

    def _do(self, step: Any) -> Any:
        match step:
            case Measure():
                assert step.file == Path("films/a.mp4")
                return 12 * MIB
            case Send(request):
                self.calls.append(f"{request.method} {request.url.partition('a1b2c3/')[2]}")
                self.bodies.append(json.loads(request.body or b"null"))
                if request.method == "DELETE":
                    return Answer(204, {})
                return DONE if request.url.endswith("complete/") else Answer(201, {}, json.dumps(self._begun))
            case SendPiece():
                assert "Authorization" not in step.request.headers
                self.sent.append((step.request.url, step.begin, step.size))
                step.sent(step.size)
                return self._pieces.pop(0) if self._pieces else Answer(200, {})
            case Pause():
                return None
        raise AssertionError(step)


def test_a_file_goes_to_its_address_and_is_verified() -> None:
    wire = Wire(WHOLE)
    assert wire.upload().state == "completed"
    assert wire.calls == ["POST uploads/", f"POST uploads/{SHOWN['id']}/complete/"]
    assert wire.bodies[0] == {"filename": "a.mp4", "size": 12 * MIB, "content_type": "video/mp4"}
    assert wire.sent == [("https://s3.test/a?sig", 0, 12 * MIB)]
    assert wire.progress == [(12 * MIB, 12 * MIB)]


def test_parts_follow_each_other_and_one_that_breaks_off_is_sent_again() -> None:
    wire = Wire(PARTS, Answer(200, {}), mc.Unreachable("broke off"), Answer(503, {}))
    wire.upload(part_size=5 * MIB, filename="b.bin", content_type="video/webm")
    assert wire.bodies[0] == {
        "filename": "b.bin",
        "size": 12 * MIB,
        "content_type": "video/webm",
        "part_size": 5 * MIB,
    }
    second = ("https://s3.test/2", 5 * MIB, 5 * MIB)
    assert wire.sent == [
        ("https://s3.test/1", 0, 5 * MIB),
        second,
        second,
        second,
        ("https://s3.test/3", 10 * MIB, 2 * MIB),
    ]
    assert wire.progress[-1] == (12 * MIB, 12 * MIB)


def test_what_the_storage_refuses_is_said_and_given_up() -> None:
    wire = Wire(WHOLE, Answer(403, {}, "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"))
    with pytest.raises(mc.UploadFailed, match="403 to the upload: AccessDenied No") as raised:
        wire.upload()
    assert raised.value.status == 403
    assert len(wire.sent) == 1
    assert wire.calls[-1] == f"DELETE uploads/{SHOWN['id']}/"


def test_a_storage_that_is_away_is_given_up_after_some_attempts() -> None:
    wire = Wire(WHOLE, *(mc.Unreachable("away") for _ in range(3)))
    with pytest.raises(mc.Unreachable):
        wire.upload()
    assert len(wire.sent) == 3
    assert wire.calls[-1].startswith("DELETE")

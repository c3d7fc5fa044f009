"""What is shown of a job while it runs: its pace, its parts, in a terminal and elsewhere."""

import io
from typing import Any

import pytest
from rich.console import Console

from millrace_client.cli.live import JobView
from millrace_client.cli.pace import Pace, roughly
from millrace_client.cli.parts import PartCounter, Parts
from millrace_client.models import Job, Timeline


def job(stage: str, progress: int, **members: Any) -> Job:
    given = {
        "id": "5KQfnXCg8Qh",
        "status": "transcoding",
        "resolutions": ["240p"],
        "input_url": "i",
        "output_path": "o",
    }
    return Job.model_validate(given | {"stage": stage, "progress": progress} | members)


def shown(*states: Job, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
    with JobView(console) as view:
        for state in states:
            view.show(state)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_stage_is_measured_until_the_next_begins() -> None:
    pace = Pace(100.0)
    pace.take(job("queued", 0), 100.5)
    pace.take(job("fetching", 4), 101.0)
    pace.take(job("transcoding", 10), 103.0)
    assert [pace.seconds(stage, 107.0) for stage in ("queued", "fetching", "transcoding", "uploading")] == [
        1,
        2,
        4,
        None,
    ]
    # What the server has measured counts.
    pace.take(job("transcoding", 11, timings={"fetching": 2.5}), 108.0)
    assert pace.seconds("fetching", 109.0) == 2.5


def test_speed_and_time_left_follow_from_what_was_done_since_the_first_look() -> None:
    pace = Pace(0.0)
    pace.take(job("transcoding", 10, video_duration=180), 10.0)
    assert (pace.speed(10.0), pace.left(10.0)) == (None, None)
    pace.take(job("transcoding", 55, video_duration=180), 100.0)
    # Half of what is behind the fetch, so half of the film, in 90 s.
    assert pace.speed(100.0) == pytest.approx(1.0)
    assert pace.left(100.0) == pytest.approx(90.0)


def test_nothing_is_estimated_from_nothing_or_while_it_waits() -> None:
    pace = Pace(0.0)
    pace.take(job("transcoding", 10, video_duration=60), 0.0)
    pace.take(job("transcoding", 12, video_duration=60), 30.0)
    assert pace.left(30.0) is None
    waiting = {"code": "storage_unavailable", "message": "The storage does not answer."}
    pace.take(job("transcoding", 60, video_duration=60, waiting=waiting), 40.0)
    assert (pace.left(40.0), pace.speed(40.0)) == (None, None)


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "1 s"), (89, "89 s"), (600, "10 min"), (5400, "1.5 h")])
def test_estimates_are_rough(seconds: float, text: str) -> None:
    assert roughly(seconds) == text


def test_without_a_terminal_there_are_plain_lines() -> None:
    states = [job("transcoding" if done > 10 else "fetching", done) for done in (0, 1, 2, 12, 13, 55)]
    text = shown(*states, terminal=False)
    assert [line.split()[2:4] for line in text.splitlines()] == [
        ["fetching", "0"], ["transcoding", "12"], ["transcoding", "55"],
    ]  # fmt: skip
    assert "\x1b" not in text


def test_in_a_terminal_every_stage_has_its_line_within_80_columns() -> None:
    waiting = {"code": "source_unavailable", "message": "The source \x1b]0;x does not answer."}
    text = shown(job("transcoding", 40, waiting=waiting, timings={"fetching": 1.5}), terminal=True)
    for word in ("queued", "fetching", "1.5 s", "transcoding", "uploading", "40 %", "waiting: The source"):
        assert word in text
    assert "\x1b]0;" not in text


def test_the_place_in_the_queue_is_shown() -> None:
    assert "place 3 in the queue" in shown(job("queued", 0, queue_position=3), terminal=True)


class Pages:
    """A timeline of so many parts, of which some are encoded, read by pages of two."""

    def __init__(self, parts: int) -> None:
        self.parts, self.done = parts, 0
        self.read: list[int] = []

    def page(self, number: int) -> Timeline:
        self.read.append(number)
        first = 2 * (number - 1)
        rows = [
            {"part": f"v{part}", "encode": {"ended": "2026-01-01T00:00:00Z"} if part < self.done else None}
            for part in range(first, min(first + 2, self.parts))
        ]
        more = "…" if first + 2 < self.parts else None
        return Timeline.model_validate({"count": self.parts, "next": more, "results": rows})


def test_pages_of_which_all_is_done_are_read_once() -> None:
    pages = Pages(parts=5)
    count = PartCounter(pages.page)
    assert count() == Parts(0, 5)
    pages.done = 3
    assert count() == Parts(3, 5)
    assert pages.read == [1, 1, 2]
    pages.done = 5
    assert count() == Parts(5, 5)
    assert pages.read == [1, 1, 2, 2, 3]

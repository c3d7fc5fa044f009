"""What unfinished jobs wait for, in words."""

from datetime import UTC, datetime, timedelta

import pytest

from services.api.operator.durations import duration
from services.api.operator.reasons import (
    Kind,
    Line,
    Piece,
    Places,
    pieces_of,
    reason_for_piece,
    reason_for_queue,
)
from shared import events as ev
from shared.bus.attempts import Attempts
from shared.bus.roster import UnderWay, Worker
from shared.bus.topology import FETCHER, TRANSCODER, UPLOADER
from shared.waiting import Wait
from tests.support.samples import ORG, created, fetched, plan, requested, transcoded, uploaded

JOB = "5KQfnXCg8Qh"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PIECE = Piece(TRANSCODER, "part_requested.v0001", 40)
FREE = Places(running=1, most=8, own=1, most_own=4, queued=3, place=2, leader=True)


def _recorded(*events: ev.Event) -> list[ev.Recorded]:
    return [ev.Recorded(number, event) for number, event in enumerate(events, start=1)]


def _worker(service: str = "transcoder", *, draining: bool = False, sequence: int | None = None) -> Worker:
    work = UnderWay(
        consumer="transcoder",
        subject=f"jobs.{ORG}.{JOB}.part_requested.v0001",
        sequence=sequence or 0,
        since=NOW - timedelta(seconds=75),
        delivery=2,
    )
    return Worker(
        id=f"{service}-host-1",
        service=service,
        host="host",
        pid=1,
        started=NOW,
        slots=2,
        draining=draining,
        running=(work,) if sequence else (),
    )


def test_what_is_to_be_done_follows_from_the_events() -> None:
    encode = plan(2)
    first, second = encode.release_order[:2]
    begin = [created(JOB), ev.Admitted(org=ORG, job=JOB)]
    assert pieces_of(_recorded(*begin)) == [Piece(FETCHER, "admitted", 2)]
    planned = [*begin, ev.Started(org=ORG, job=JOB), fetched(JOB, encode=encode)]
    # Fetched, and nothing requested: the fetcher is not done.
    assert pieces_of(_recorded(*planned)) == [Piece(FETCHER, "admitted", 2)]
    asked = [*planned, requested(JOB, first, encode), requested(JOB, second, encode)]
    assert pieces_of(_recorded(*asked)) == [
        Piece(TRANSCODER, f"part_requested.{first}", 5),
        Piece(TRANSCODER, f"part_requested.{second}", 6),
    ]
    encoded = [*asked, transcoded(JOB, first)]
    assert pieces_of(_recorded(*encoded)) == [
        Piece(TRANSCODER, f"part_requested.{second}", 6),
        Piece(UPLOADER, f"part_transcoded.{first}", 7),
    ]
    # After the last upload its message is kept until the job is finished.
    over = [*encoded, uploaded(JOB, first), transcoded(JOB, second), uploaded(JOB, second)]
    assert pieces_of(_recorded(*over)) == [Piece(UPLOADER, f"part_transcoded.{second}", 9)]


LINE = Line(delivered=50, settled=30, waiting=7, idle=0)


@pytest.mark.parametrize(
    ("workers", "line", "attempts", "letters", "kind", "text"),
    [
        (
            [_worker(sequence=40)],
            LINE,
            None,
            {},
            "working",
            "worked on by transcoder-host-1 for 1 min 15 s, delivery 2",
        ),
        ([_worker(sequence=41)], LINE, None, {PIECE.token: "internal_error: x"}, "given_up", "internal_error: x"),
        ([], LINE, None, {}, "no_worker", "no transcoder is alive"),
        ([_worker("uploader"), _worker(draining=True)], LINE, None, {}, "no_worker", "no transcoder is alive"),
        ([_worker()], Line(39, 30, 7, 0), None, {}, "in_line", "one of 7 (0 slots are idle)"),
        ([_worker()], Line(50, 40, 0, 2), None, {}, "unknown", "without a result"),
        ([_worker()], LINE, None, {}, "again", "has just been handed out"),
        (
            [_worker()],
            LINE,
            Attempts(
                subject="", ends={"transient": 2, "lease_lost": 1}, alone=1, waits={"x": Wait(since=NOW, last=NOW)}
            ),
            {},
            "again",
            "(transient 2, lease lost 1, begun alone 1, waits for x since 2026-05-01 12:00:00Z)",
        ),
    ],
)
def test_where_a_piece_of_work_is(
    workers: list[Worker],
    line: Line,
    attempts: Attempts | None,
    letters: dict[str, str],
    kind: Kind,
    text: str,
) -> None:
    reason = reason_for_piece(PIECE, line, workers, attempts, letters, NOW)
    assert (reason.kind, reason.work) == (kind, PIECE.token)
    assert text in reason.text


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({}, "admission", "place 2 of 3 in its organization's queue; places are free"),
        ({"leader": False}, "admission", "no api leads"),
        ({"held_back": True}, "queue", "waits for room in the work space"),
        ({"own": 4}, "queue", "4 of 4 jobs of its organization"),
        ({"own": 9, "most_own": 0}, "admission", "places are free"),
        ({"running": 8}, "queue", "8 of 8 jobs are under way in all"),
    ],
)
def test_why_a_job_is_not_admitted(change: dict[str, int], kind: Kind, text: str) -> None:
    reason = reason_for_queue(Places(**(vars(FREE) | change)))
    assert reason.kind == kind
    assert text in reason.text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (42.4, "42 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
        (86_400 * 3 + 4 * 3600, "3 d 4 h"),
    ],
)
def test_durations_are_told_in_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text

"""The judge of a chaos run finds what is lost and what is doubled; were it blind, a run would prove nothing."""

from dataclasses import replace

import pytest

from shared import events as ev
from shared.events import Event
from tests.chaos.judging import Fate, Told, judge
from tests.chaos.orders import Order
from tests.chaos.report import Blow, Report, table
from tests.support.samples import ORG, at, completed, failed, transcoded, whole_life

JOB = "5KQfnXCg8Qh"
ORDER = Order(3, 0, 0, "short")
TOLD = (Told("m1", "queued"), Told("m2", "transcoding"), Told("m3", "completed"))
GOOD = Fate(ORDER, JOB, whole_life(JOB), TOLD)


def without(fate: Fate, token: str) -> list[Event]:
    return [event for event in fate.events if event.token() != token]


def test_a_job_that_went_well_has_no_faults() -> None:
    assert judge(GOOD).faults == []
    again = replace(GOOD, told=(TOLD[0], TOLD[0], TOLD[1], TOLD[2], TOLD[2]))
    assert judge(again).faults == [], "a repetition with the same id is none"


LOST = {
    "no end": replace(GOOD, events=without(GOOD, "end.completed")),
    "nothing": replace(GOOD, events=[]),
    "wrong end": replace(
        GOOD, events=[*without(GOOD, "end.completed"), failed(JOB)], told=(*TOLD[:2], Told("m3", "error"))
    ),
    "wrong code": replace(GOOD, order=replace(ORDER, source="truncated")),
    "cancelled unasked": replace(
        GOOD, events=[*GOOD.events[:-1], ev.Cancelled(org=ORG, job=JOB)], told=(*TOLD[:2], Told("m3", "cancelled"))
    ),
    "told of what never was": replace(GOOD, told=(TOLD[0], TOLD[1], Told("m4", "error"), TOLD[2])),
    "cancel ignored": replace(GOOD, order=replace(ORDER, cancel_after=1), cancelled=True),
    "untold": replace(GOOD, told=TOLD[:2]),
    "out of order": replace(GOOD, told=(TOLD[1], TOLD[0], TOLD[2])),
}
DOUBLED = {
    "two ends": replace(GOOD, events=[*GOOD.events, failed(JOB)]),
    "the same end twice": replace(GOOD, events=[*GOOD.events, completed(JOB)]),
    "work after the end": replace(GOOD, events=[*GOOD.events, transcoded(JOB, "v0009")]),
    "a part twice": replace(GOOD, events=[*GOOD.events[:-1], transcoded(JOB, "v0000"), GOOD.events[-1]]),
    "two webhooks": replace(GOOD, told=(*TOLD, Told("m4", "completed"))),
}


@pytest.mark.parametrize("what", LOST)
def test_what_is_lost(what: str) -> None:
    verdict = judge(LOST[what])
    assert len(verdict.lost) == 1


@pytest.mark.parametrize("what", DOUBLED)
def test_what_is_doubled(what: str) -> None:
    assert judge(DOUBLED[what]).doubled


def test_a_webhook_may_be_superseded_by_a_newer_one_but_the_end_is_told() -> None:
    assert judge(replace(GOOD, told=TOLD[1:], superseded=frozenset({"queued"}))).faults == []
    assert judge(replace(GOOD, told=TOLD[1:])).lost == ["no webhook has said queued"]


def test_a_cancelled_job_may_end_either_way_only_if_nobody_knows() -> None:
    asked = replace(GOOD, order=replace(ORDER, cancel_after=1))
    assert judge(asked).faults == []
    assert judge(replace(asked, cancelled=False)).faults == []
    assert judge(replace(asked, cancelled=True)).lost


def test_the_table_counts_hits_and_jobs_under_way() -> None:
    lost = replace(LOST["no end"], order=replace(ORDER, number=4))
    blows = [
        Blow("SIGKILL api", at(1), at(1)),
        Blow("SIGKILL api", at(500), at(500)),
        Blow("call cut storage", at(0), at(0), frozenset({4})),
        Blow("outage nats", at(500), at(510)),
    ]
    report = Report([GOOD, lost], {3: judge(GOOD), 4: judge(lost)}, blows)
    rows = [line.rsplit(maxsplit=4) for line in table(report).splitlines()[1:]]
    assert rows == [
        ["SIGKILL api", "2", "2", "1", "0"],
        ["call cut storage", "1", "1", "1", "0"],
        ["outage nats", "1", "0", "0", "0"],
        ["all", "4", "2", "1", "0"],
    ]
    assert len(report.violations) == 1
    assert report.ends == {"completed": 1, "part_uploaded.v0001": 1}

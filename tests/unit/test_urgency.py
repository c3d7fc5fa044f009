"""How urgent work is, out of what its event says."""

import json

import pytest

from shared.bus.urgency import USUAL, USUAL_WEIGHT, Urgency, urgency_and_weight
from shared.events import PartRequested
from tests.support.samples import ORG, transcoded

JOB = "5KQfnXCg8Qh"


def said(**members: object) -> bytes:
    return json.dumps({"type": "part_requested", **members}).encode()


def urgency_of(data: bytes) -> Urgency:
    return urgency_and_weight(data)[0]


def test_priority_counts_before_length() -> None:
    order = [
        said(priority="high", left=1e6),
        said(priority="normal", left=250),
        said(priority="normal", left=15_000),
        said(priority="normal", left=180_000),
        said(priority="low", left=250),
    ]
    assert sorted(order, key=urgency_of) == order
    assert len({urgency_of(data) for data in order}) == len(order)


@pytest.mark.parametrize(("left", "same"), [(300, True), (1000, True), (1100, False), (200, False)])
def test_jobs_of_about_the_same_length_are_equal(left: float, same: bool) -> None:
    assert (urgency_of(said(left=left)) == urgency_of(said(left=500))) is same


def test_an_event_of_version_0_1_says_at_least_how_large_its_part_is() -> None:
    event = PartRequested(org=ORG, job=JOB, part="v0000", work=1200)
    assert urgency_of(event.model_dump_json().encode()) == urgency_of(said(left=1200, priority="normal"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff",
        b"[]",
        said(left=-1),
        said(left="much"),
        b'{"left": 1e999}',
        said(priority=["high"]),
        said(weight=0),
    ],
)
def test_what_says_nothing_sensible_is_usual(data: bytes) -> None:
    assert urgency_and_weight(data) == (USUAL, USUAL_WEIGHT)


def test_what_a_newer_version_calls_its_priority_is_normal() -> None:
    assert urgency_of(said(priority="urgent", left=1)) == Urgency(USUAL.rank, 0)


def test_other_work_is_all_equal() -> None:
    assert urgency_of(transcoded(JOB, "a0").model_dump_json().encode()) == USUAL


def test_weight_comes_with_the_work() -> None:
    assert urgency_and_weight(said(weight=2.5, priority="high", left=1)) == (Urgency(0, 0), 2.5)
    assert urgency_and_weight(said(left=1))[1] == USUAL_WEIGHT

"""How long is waited, and what of it is shown."""

from datetime import UTC, datetime, timedelta

import pytest

from services.api.jobs.waits import FRESH_SECONDS, MOST_JOBS, MOST_OF_A_JOB, Waits
from shared.bus.attempts import Attempts
from shared.bus.outages import LONGEST_DELAY, delay_after, given_up
from shared.errors import PUBLIC_WORDING, Outage
from shared.waiting import MOST_COUNTED, Wait
from tests.support.samples import waiting_body

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def waited(*instants: float) -> Wait:
    wait = Wait(since=NOON, last=NOON)
    for instant in instants:
        wait = wait.failed_again(after(instant))
    return wait


def test_a_wait_counts_from_the_first_failure() -> None:
    wait = waited(0, 2, 60, 130)
    assert (wait.seconds, wait.since, wait.until(3600)) == (130, NOON, after(3600))


def test_clocks_that_were_set_and_hours_without_workers_are_no_outage() -> None:
    assert waited(60, 7260).seconds == 60 + MOST_COUNTED
    assert waited(60, -3600, -3540).seconds == 120
    assert waited(60, 7260).until(3600) > after(7260)


def test_reasons_are_kept_apart_and_what_was_kept_before_can_be_read() -> None:
    old = Attempts.model_validate_json('{"subject": "jobs.a.b.admitted", "ends": {"handed_back": 2}}')
    known = old.waiting("input_timeout", NOON, deliveries=3).waiting("output_unreachable", after(5), deliveries=4)
    known = known.waiting("input_timeout", after(9), deliveries=5)
    assert {code: wait.seconds for code, wait in known.waits.items()} == {"input_timeout": 9, "output_unreachable": 0}
    assert set(known.without(lambda code: code.startswith("input")).waits) == {"output_unreachable"}
    assert Attempts.model_validate_json(known.model_dump_json()) == known


def test_work_that_has_met_an_outage_has_killed_no_worker() -> None:
    """Of four deliveries two were never heard of; the next one that is not is the first again."""
    known = Attempts(subject="jobs.a.b.admitted", ends={"handed_back": 1})
    known = known.waiting("input_timeout", NOON, deliveries=4)
    assert (known.reported, known.of("handed_back")) == (4, 2)
    assert known.waiting("input_timeout", NOON, deliveries=6).reported == 6


@pytest.mark.parametrize(
    ("waited_for", "held", "retry_after", "least", "most"),
    [
        (0, 0, None, 1.8, 2.2),
        (100, 0, None, 9, 11),
        (3000, 0, None, 54, 66),
        (10, 40, None, 36, 44),
        (0, 0, 30, 30, 30),
        (0, 0, 86400, MOST_COUNTED, MOST_COUNTED),
        (3000, 0, 1, 0.9 * LONGEST_DELAY, 1.1 * LONGEST_DELAY),
    ],
)
def test_delays_grow_with_the_wait(
    waited_for: float, held: float, retry_after: float | None, least: float, most: float
) -> None:
    for _ in range(50):
        assert least <= delay_after(waited_for, held, retry_after) <= most


def test_the_end_of_a_wait_says_how_long_it_was() -> None:
    error = given_up(Outage("output_unreachable", "503"), 3601)
    assert "It was tried again for 60 minutes. Check its endpoint" in error.message and error.detail.endswith(" 503")
    assert "tried again for 24 hours" in given_up(Outage("workspace_full"), 86400).message
    public = given_up(Outage("input_unreachable", "503"), 3601)
    assert public.message == PUBLIC_WORDING and "tried again for 60 minutes" in public.detail


def body(code: str = "output_unreachable", until: float = 3600) -> bytes:
    return waiting_body(code, since=NOON, until=after(until))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_of_several_waits_the_one_that_ends_first_is_shown() -> None:
    waits = Waits()
    waits.heard("org", "job", "a", body(until=3600))
    waits.heard("org", "job", "b", body("workspace_full", until=60))
    first = waits.of("job")
    assert first and first.code == "workspace_full"
    waits.heard("org", "job", "b", b"")
    left = waits.of("job")
    assert left and left.code == "output_unreachable"
    waits.heard("org", "job", "a", b"")
    assert waits.of("job") is None


def test_what_cannot_be_read_changes_nothing() -> None:
    waits = Waits()
    waits.heard("org", "job", "a", body())
    waits.heard("org", "job", "a", b"0.5")
    assert waits.of("job") and waits.changes("job") == 1


def test_every_change_is_counted() -> None:
    waits = Waits()
    seen = [waits.changes("job")]
    for text in (body(), body(until=7200), b""):
        waits.heard("org", "job", "a", text)
        seen.append(waits.changes("job"))
    assert seen == sorted(set(seen))


def test_organizations_short_of_room() -> None:
    clock = Clock()
    waits = Waits(clock)
    waits.heard("one", "job", "a", body("workspace_full"))
    waits.heard("two", "other", "a", body("workspace_full"))
    waits.heard("three", "third", "a", body())
    assert waits.short_of_room() == {"one", "two"}
    waits.heard("one", "job", "a", body())
    assert waits.short_of_room() == {"two"}
    waits.ended("other")
    assert waits.short_of_room() == frozenset()


def test_jobs_that_are_held_up_by_a_source_or_a_storage() -> None:
    clock = Clock()
    waits = Waits(clock)
    waits.heard("one", "job", "a", body())
    waits.heard("one", "job", "b", body())
    waits.heard("one", "second", "a", body("input_unreachable"))
    waits.heard("two", "other", "a", body("workspace_full"))
    assert waits.held_up() == {"one": 2}
    waits.heard("one", "job", "a", b"")
    assert waits.held_up() == {"one": 2}
    waits.heard("one", "job", "b", b"")
    assert waits.held_up() == {"one": 1}
    clock.now = FRESH_SECONDS
    assert waits.held_up() == {}


def test_what_nobody_repeats_is_not_shown() -> None:
    clock = Clock()
    waits = Waits(clock)
    waits.heard("org", "job", "a", body("workspace_full"))
    clock.now = FRESH_SECONDS
    assert waits.of("job") is None and waits.short_of_room() == frozenset()
    waits.heard("org", "job", "a", body("workspace_full"))
    assert waits.of("job") and waits.short_of_room() == {"org"}


def test_memory_is_bounded() -> None:
    waits = Waits()
    for number in range(MOST_JOBS + 10):
        waits.heard("org", f"job-{number}", "a", body("workspace_full"))
    assert waits.of("job-0") is None and waits.of(f"job-{MOST_JOBS}")
    for number in range(MOST_OF_A_JOB + 10):
        waits.heard("org", "large", f"part-{number}", body("workspace_full"))
    assert len(waits._jobs) <= MOST_JOBS and len(waits._jobs["large"]) == MOST_OF_A_JOB
    assert len(waits._no_room) < MOST_JOBS + MOST_OF_A_JOB

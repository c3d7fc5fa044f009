"""The fold from a job's events to its timeline, and the attempt that events tell of."""

from typing import Any

from services.api.contract.timeline_models import TimelinePart
from services.api.jobs.timeline import Timeline, fold_timeline
from shared import events as ev
from shared.attempt import Attempt, Waited, making, this_attempt
from shared.bus.attempts import Attempts
from shared.ids import new_job_id
from shared.payload import timestamp
from shared.waiting import Wait
from tests.support.samples import at, failed, whole_life

JOB = new_job_id()
ATTEMPT = Attempt(
    worker="1f0c9ab2",
    began=at(5),
    number=3,
    put_off=4,
    failures={"workspace_full": 2},
    waited=(Waited(code="output_unreachable", since=at(1), last=at(4)),),
)


def timeline(events: list[ev.Event]) -> Timeline:
    found = fold_timeline(events)
    assert found
    return found


def shown(found: Timeline) -> dict[str, dict[str, Any]]:
    parts = {part["part"]: part for part in found.page(list(found.parts))}
    for part in parts.values():
        TimelinePart.model_validate(part)
    return parts


def test_a_job_that_goes_well() -> None:
    life = whole_life(JOB)
    for number, event in enumerate(life):
        if isinstance(event, ev.PartTranscoded) and event.part == "v0001":
            life[number] = event.model_copy(update={"attempt": ATTEMPT})
    found = timeline(life)
    stages = found.stages()
    assert [stage["stage"] for stage in stages] == ["queued", "fetching", "transcoding", "uploading"]
    assert stages[0] == {"stage": "queued", "began": timestamp(at(0)), "ended": timestamp(at(2))}
    assert [stage["ended"] for stage in stages[:-1]] == [stage["began"] for stage in stages[1:]]
    parts = shown(found)
    assert list(parts) == ["a0", "v0000", "v0001"]
    assert [(part["kind"], part["begin"], part["duration"]) for part in parts.values()] == [
        ("audio", 0.0, 12.0), ("video", 0.0, 6.0), ("video", 6.0, 6.0),
    ]  # fmt: skip
    encode = parts["v0001"]["encode"]
    assert {name: encode[name] for name in ("worker", "attempt", "put_off", "failures", "encoder", "seconds", "speed")} == {
        "worker": "1f0c9ab2", "attempt": 3, "put_off": 4, "failures": {"workspace_full": 2},
        "encoder": "libx264", "seconds": 1.5, "speed": 4.0,
    }  # fmt: skip
    assert encode["began"] == timestamp(at(5))
    assert encode["waited"] == [{"code": "output_unreachable", "since": timestamp(at(1)), "last": timestamp(at(4))}]
    # As older services tell it.
    assert parts["v0000"]["encode"]["worker"] is parts["v0000"]["encode"]["began"] is None
    assert parts["v0000"]["upload"]["bytes"] == 4711
    assert found.fetch() and found.finish()


def test_a_job_that_is_under_way_or_ends_early() -> None:
    life = whole_life(JOB)
    begun = timeline(life[:6])
    assert [(stage["stage"], stage["ended"] is None) for stage in begun.stages()][-1] == ("transcoding", True)
    parts = shown(begun)
    assert [bool(part["requested"]) for part in parts.values()] == [True, True, False]
    assert [part["encode"] for part in parts.values()] == [None] * 3
    assert begun.finish() is None
    ended = timeline([*life[:3], failed(JOB, at=at(9))])
    assert [(stage["stage"], stage["ended"]) for stage in ended.stages()] == [
        ("queued", timestamp(at(2))), ("fetching", timestamp(at(9))),
    ]  # fmt: skip
    assert (ended.parts, ended.fetch()) == ({}, None)
    assert [stage["stage"] for stage in timeline([life[0], ev.Cancelled(org="acme00", job=JOB)]).stages()] == ["queued"]
    assert fold_timeline(life[1:]) is None


def test_an_attempt_counts_what_has_failed_and_not_what_was_handed_back() -> None:
    known = Attempts(subject="s")
    assert known.next("w", began=at(5)) == Attempt(worker="w", began=at(5))
    for kind, code in (("transient", "workspace_full"), ("bug", "internal_error"), ("transient", "workspace_full")):
        known = known.counting(kind, code)  # type: ignore[arg-type]
    known = known.counting("handed_back").counting("bus_unavailable")
    known = known.model_copy(update={"waits": {"output_unreachable": Wait(since=at(1), last=at(4))}})
    found = known.next("w", began=at(5), silent=1)
    assert (found.number, found.put_off) == (5, 1)
    assert found.failures == {"workspace_full": 2, "internal_error": 1}
    assert found.waited == ATTEMPT.waited
    assert Attempts.model_validate_json('{"subject": "s", "ends": {"transient": 1}}').failures == {}


def test_the_attempt_is_known_within_its_work_alone() -> None:
    with making(ATTEMPT):
        assert this_attempt() == ATTEMPT
    assert this_attempt() is None

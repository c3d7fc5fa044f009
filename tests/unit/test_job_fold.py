"""The fold from events to a job."""

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import events as ev
from shared.job import Job, apply
from tests.support.encoded import make_fetched, make_plan
from tests.support.samples import ORG, at, completed, created, failed, fetched, plan, transcoded, uploaded, whole_life

JOB = "5KQfnXCg8Qh"


def fold(*events: ev.Event) -> Job:
    job = reduce(apply, events, None)
    assert job is not None
    return job


def states(events: list[ev.Event]) -> list[Job]:
    return [fold(*events[: length + 1]) for length in range(len(events))]


def test_the_stages_of_a_job_that_goes_well() -> None:
    seen = [(job.status, job.stage) for job in states(whole_life(JOB))]
    assert list(dict.fromkeys(seen)) == [
        ("queued", "queued"),
        ("transcoding", "fetching"),
        ("transcoding", "transcoding"),
        ("transcoding", "uploading"),
        ("completed", "done"),
    ]


def test_admission_alone_is_not_the_beginning_of_work() -> None:
    job = fold(created(JOB), ev.Admitted(org=ORG, job=JOB))
    assert (job.admitted, job.status, job.start_time) == (True, "queued", None)


def test_times_come_from_the_events() -> None:
    events = whole_life(JOB)
    by_token = {event.token(): event.at for event in events}
    job = fold(*events)
    assert job.created == by_token["created"]
    assert job.start_time == by_token["started"]
    assert job.fetched_at == by_token["fetched"]
    assert job.encoded_at == by_token["part_transcoded.v0001"]
    assert job.end_time == by_token["end.completed"]
    assert job.timings == {"queued": 2.0, "fetching": 1.0, "transcoding": 8.0, "uploading": 2.0}


@pytest.mark.parametrize(
    ("end", "status"),
    [(completed(JOB), "completed"), (failed(JOB), "error"), (ev.Cancelled(org=ORG, job=JOB), "cancelled")],
)
def test_ends(end: ev.Event, status: str) -> None:
    job = fold(*whole_life(JOB, end=end))
    assert job.status == status
    assert job.finished
    assert job.stage == "done"
    assert job.end_time is not None
    assert (job.outputs is not None) == (status == "completed")
    assert (job.error_code is not None) == (status == "error")


def test_a_failure_says_why() -> None:
    job = fold(created(JOB), failed(JOB, code="input_empty", message="The input is empty.", detail="0 bytes"))
    assert (job.error_code, job.error_message, job.error_detail) == ("input_empty", "The input is empty.", "0 bytes")
    assert job.start_time is None


def test_nothing_changes_after_the_end() -> None:
    ended = fold(*whole_life(JOB, end=ev.Cancelled(org=ORG, job=JOB)))
    for event in whole_life(JOB)[1:]:
        assert apply(ended, event) == ended


def test_created_again_changes_nothing() -> None:
    job = fold(created(JOB), ev.Started(org=ORG, job=JOB))
    assert apply(job, created(JOB, input_url="https://example.com/other.mp4")) == job


def test_created_comes_first() -> None:
    with pytest.raises(ValueError, match="before created"):
        apply(None, ev.Started(org=ORG, job=JOB))


def test_secrets_are_masked_whoever_forgot_to() -> None:
    job = fold(
        created(
            JOB,
            output_path="s3://b/p/?access_key=AKIA&secret_key=hush&region=eu-west-1",
            input_url="https://u:pw@h/v.mp4?token=hush",
        )
    )
    assert job.output_path == "s3://b/p/?access_key=<access_key>&secret_key=<secret_key>&region=eu-west-1"
    assert "hush" not in job.input_url
    assert "pw" not in job.input_url


def test_warnings_are_collected_once_each() -> None:
    one, two, three = (ev.JobWarning(code=f"c{number}", message="") for number in range(3))
    job = fold(
        created(JOB),
        fetched(JOB, warnings=(one,)),
        transcoded(JOB, "v0000", warnings=(two,)),
        transcoded(JOB, "v0001", warnings=(two,)),
        completed(JOB, warnings=(one, three)),
    )
    assert job.warnings == (one, two, three)


def test_a_duration_is_that_of_the_output() -> None:
    assert fold(created(JOB)).video_duration is None
    assert fold(created(JOB), fetched(JOB, encode=plan(2, part_frames=150))).video_duration == 12.0


def test_progress_by_stage() -> None:
    job = fold(created(JOB))
    assert job.progress({"fetch": 0.9}) == 0, "nothing has begun"
    job = apply(job, ev.Started(org=ORG, job=JOB))
    assert (job.progress(), job.progress({"fetch": 0.5}), job.progress({"fetch": 7.0})) == (0, 5, 10)
    job = apply(job, fetched(JOB, encode=plan(2, audio=0)))
    assert (job.progress(), job.progress({"v0000": 0.5}), job.progress({"fetch": 0.1, "v0000": 1.0, "v0001": 1.0})) == (
        10,
        30,
        90,
    )
    job = apply(job, transcoded(JOB, "v0000"))
    # What was told of a part while it was encoded means nothing once it is done.
    assert job.progress() == job.progress({"v0000": 0.1}) == 50
    job = apply(job, uploaded(JOB, "v0000"))
    assert job.progress() == 54
    job = apply(apply(job, transcoded(JOB, "v0001")), uploaded(JOB, "v0001"))
    assert job.progress() == 99, "100 is for a job that is completed"
    assert apply(job, completed(JOB)).progress() == 100


def test_weights_are_shares_of_the_whole() -> None:
    job = fold(created(JOB), fetched(JOB, encode=plan(7, audio=2)))
    assert sum(job.part_weights.values()) == pytest.approx(1)
    assert job.part_weights["a0"] == pytest.approx(job.part_weights["v0000"] * 7 / 10)


def test_text_weighs_little() -> None:
    job = fold(created(JOB), fetched(JOB, encode=make_plan(texts=("en",))))
    assert sum(job.part_weights.values()) == pytest.approx(1)
    assert job.part_weights["t0"] == pytest.approx(job.part_weights["a0"] / 10)


@st.composite
def lives(draw: st.DrawFn) -> list[ev.Event]:
    """Events in any order in which the services may tell them, up to any point."""
    parts = draw(st.integers(1, 5))
    names = plan(parts).release_order
    steps = draw(st.permutations([name for name in names for _ in range(2)]))
    seen: set[str] = set()
    middle: list[ev.Event] = []
    for name in steps:
        middle.append(uploaded(JOB, name) if name in seen else transcoded(JOB, name))
        seen.add(name)
    begin: list[ev.Event] = [
        created(JOB),
        ev.Admitted(org=ORG, job=JOB),
        ev.Started(org=ORG, job=JOB),
        fetched(JOB, encode=plan(parts)),
    ]
    end = draw(st.sampled_from([completed(JOB), failed(JOB), ev.Cancelled(org=ORG, job=JOB)]))
    length = draw(st.integers(1, len(begin) + len(middle)))
    life = [*begin, *middle][:length]
    if draw(st.booleans()):
        life.append(end)
    return [event.model_copy(update={"at": at(second)}) for second, event in enumerate(life)]


@given(lives())
def test_progress_never_falls_and_stages_never_go_back(life: list[ev.Event]) -> None:
    jobs = states(life)
    percents = [job.progress() for job in jobs]
    assert percents == sorted(percents)
    assert all(0 <= percent <= 100 for percent in percents)
    order = ("queued", "fetching", "transcoding", "uploading", "done")
    stages = [order.index(job.stage) for job in jobs]
    assert stages == sorted(stages)
    assert all((job.progress() == 100) == (job.status == "completed") for job in jobs)


@given(lives(), st.data())
def test_a_state_that_was_stored_goes_on_as_if_it_had_not_been(life: list[ev.Event], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(life)))
    stored = Job.model_validate_json(fold(*life[:cut]).model_dump_json())
    assert reduce(apply, life[cut:], stored) == fold(*life)


@given(lives())
def test_events_survive_their_own_json(life: list[ev.Event]) -> None:
    for event in life:
        assert type(event).model_validate_json(event.model_dump_json()) == event


def test_without_a_picture_the_sound_is_all_of_the_work() -> None:
    plan = make_plan(resolutions=(), languages=("en", "de", "fr"))
    job = fold(created(JOB), make_fetched(ORG, JOB, plan))
    assert job.part_weights == pytest.approx({"a0": 1 / 3, "a1": 1 / 3, "a2": 1 / 3})
    assert sum(job.encoding.values()) == pytest.approx(1)
    assert job.video_duration == pytest.approx(float(plan.duration))

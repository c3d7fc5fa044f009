"""The fold from events to a job."""

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import events as ev
from shared.job import Job, apply
from shared.media.result import JobWarning
from tests.support.encoded import make_fetched, make_plan
from tests.support.lives import JOB, lives
from tests.support.samples import (
    ORG,
    completed,
    created,
    failed,
    fetched,
    plan,
    requested,
    transcoded,
    uploaded,
    whole_life,
)


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
    one, two, three = (JobWarning(code=f"c{number}", message="") for number in range(3))
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
    encode = plan(2, audio=0)
    job = apply(job, fetched(JOB, encode=encode))
    for part in encode.release_order:
        job = apply(job, requested(JOB, part, encode))
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


def test_parts_weigh_by_their_frames_and_kind() -> None:
    encode = plan(7, audio=2)
    assert encode.work == pytest.approx(sum(encode.work_of(name) for name in encode.release_order))
    assert encode.work_of("a0") == pytest.approx(encode.work_of("v0000") * 7 / 10)
    titled = make_plan(texts=("en",))
    assert titled.work_of("t0") == pytest.approx(titled.work_of("a0") / 10)


def test_the_state_does_not_grow_with_the_film() -> None:
    sizes = {}
    for parts in (20, 900):
        encode = plan(parts)
        window = encode.release_order[: encode.window]
        job = fold(created(JOB), fetched(JOB, encode=encode), *(requested(JOB, part, encode) for part in window))
        for part in encode.release_order[:10]:
            job = apply(job, transcoded(JOB, part))
        sizes[parts] = len(job.model_dump_json())
    assert sizes[900] < sizes[20] + 50


def test_a_state_that_version_0_1_stored_goes_on() -> None:
    encode = plan(2)
    stored = fold(created(JOB), ev.Started(org=ORG, job=JOB), fetched(JOB, encode=encode)).model_dump(mode="json")
    for name in ("work", "work_done", "under_way"):
        del stored[name]
    # Half a video, a twentieth of it the audio; one video part is transcoded.
    stored |= {"part_weights": {"a0": 0.1, "v0000": 0.45, "v0001": 0.45}, "encoding": {"a0": 0.1, "v0001": 0.45}}
    stored |= {"parts_transcoded": 1, "uploaded": 0.45, "parts_uploaded": 1}
    job = Job.model_validate(stored)
    before = job.progress()
    assert before == 10 + 36 + 3
    job = apply(job, requested(JOB, "v0001", encode))
    assert job.progress({"v0001": 0.5}) > job.progress() == before
    job = apply(apply(job, transcoded(JOB, "v0001")), transcoded(JOB, "a0"))
    assert (job.stage, job.progress()) == ("uploading", 93)


def test_events_of_version_0_1_count_their_parts_alike() -> None:
    encode = plan(3)
    job = fold(created(JOB), ev.Started(org=ORG, job=JOB), fetched(JOB, encode=encode))
    for done, part in enumerate(encode.release_order, start=1):
        job = apply(job, ev.PartRequested(org=ORG, job=JOB, part=part))
        job = apply(job, transcoded(JOB, part))
        assert job.progress() == 10 + 80 * done // 4


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
def test_every_beginning_of_a_life_is_a_valid_state(life: list[ev.Event]) -> None:
    requested, transcoded, uploaded = set[str](), set[str](), set[str]()
    for event, job in zip(life, states(life), strict=True):
        match event:
            case ev.PartRequested():
                requested.add(event.part)
            case ev.PartTranscoded():
                transcoded.add(event.part)
            case ev.PartUploaded():
                uploaded.add(event.part)
        assert (job.parts_transcoded, job.parts_uploaded) == (len(transcoded), len(uploaded))
        assert set(job.under_way) == requested - transcoded
        assert (job.encoded_at is not None) == (0 < job.parts == len(transcoded))
        assert job.finished == (job.end_time is not None) == event.subject.startswith("end.")
        assert (job.outputs is not None) == (job.status == "completed")
        assert (job.error_code is not None) == (job.status == "error")
        assert all(seconds is None or seconds >= 0 for seconds in job.timings.values())
        if not job.finished:
            assert job.work_done + sum(job.under_way.values()) <= job.work + 1e-6


@given(lives(whole=True), st.data())
def test_whatever_comes_after_an_end_changes_nothing(life: list[ev.Event], data: st.DataObject) -> None:
    ended = fold(*life)
    others: list[ev.Event] = [completed(JOB), failed(JOB, code="input_empty"), ev.Cancelled(org=ORG, job=JOB)]
    late = data.draw(st.lists(st.sampled_from([*life, *others]), max_size=8))
    assert reduce(apply, late, ended) is ended


@given(lives())
def test_events_survive_their_own_json(life: list[ev.Event]) -> None:
    for event in life:
        assert type(event).model_validate_json(event.model_dump_json()) == event


def test_without_video_the_audio_is_all_of_the_work() -> None:
    plan = make_plan(resolutions=(), languages=("en", "de", "fr"))
    job = fold(created(JOB), make_fetched(ORG, JOB, plan))
    assert plan.work_of("a0") / plan.work == pytest.approx(1 / 3)
    assert job.video_duration == pytest.approx(float(plan.duration))

"""The job object as clients see it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import events as ev
from shared.job import Job, apply
from shared.payload import Surface, job_json, spell_status, timestamp
from shared.waiting import Waiting
from tests.support.samples import ORG, created, failed, whole_life

JOB = "5KQfnXCg8Qh"

CONTRACT = ["id", "type", "resolutions", "video_duration", "status", "enable_drm", "drm_content_id", "input_url", "output_path", "start_time", "end_time", "error_message", "client_metadata", "created", "progress", "stage", "error_code", "warnings", "outputs"]  # fmt: skip


def job_after(*events: ev.Event) -> Job:
    job = reduce(apply, events, None)
    assert job is not None
    return job


@pytest.mark.parametrize(
    ("surface", "spelt"), [("detail", "Queued"), ("list", "queued"), ("webhook", "queued"), ("stream", "queued")]
)
def test_status_is_spelt_by_surface(surface: Surface, spelt: str) -> None:
    assert json.loads(job_json(job_after(created(JOB)), surface))["status"] == spelt


@pytest.mark.parametrize("status", ["queued", "transcoding", "completed", "error", "cancelled"])
def test_title_case_is_that_of_the_contract(status: str) -> None:
    assert spell_status(status, "detail") == status.title()
    assert spell_status(status, "webhook") == status


def test_every_member_of_the_contract_is_always_there() -> None:
    for events in ([created(JOB)], whole_life(JOB), [created(JOB), failed(JOB)]):
        shown = json.loads(job_json(job_after(*events), "detail"))
        assert set(CONTRACT) <= set(shown)


def test_a_new_job() -> None:
    shown = json.loads(job_json(job_after(created(JOB)), "detail"))
    assert {name: shown[name] for name in CONTRACT} == {
        "id": JOB,
        "type": "transcoding_job",
        "resolutions": ["240p", "480p"],
        "video_duration": None,
        "status": "Queued",
        "enable_drm": False,
        "drm_content_id": None,
        "input_url": "https://example.com/video.mp4",
        "output_path": f"s3://bucket/{JOB}/?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1",
        "start_time": None,
        "end_time": None,
        "error_message": None,
        "client_metadata": None,
        "created": "2024-05-01T12:00:00.123456Z",
        "progress": 0,
        "stage": "queued",
        "error_code": None,
        "warnings": [],
        "outputs": None,
    }


def test_a_completed_job() -> None:
    shown = json.loads(job_json(job_after(*whole_life(JOB)), "webhook"))
    assert (shown["status"], shown["stage"], shown["progress"], shown["video_duration"]) == (
        "completed",
        "done",
        100,
        12,
    )
    (rendition,) = shown["outputs"]["renditions"]
    for member in ("width", "height", "frame_rate", "average_bitrate", "peak_bitrate", "codecs", "bytes"):
        assert rendition[member]
    assert shown["outputs"]["master"] == "s3://bucket/x/video.m3u8"


@pytest.mark.parametrize(
    "metadata",
    [
        '{"b": 1, "a": 2}',
        '{"n": 1.0, "e": 1E5, "big": 12345678901234567890.123456789012345678901234567890}',
        '{"u": "\\u00e4 \\ud83d\\ude00 ä 😀", "slash": "\\/"}',
        '{\n\t"pretty" :  [ 1 ,2 ] }',
        '{"mark": "\\u0000client_metadata\\u0000"}',
        '{"same": 1, "same": 2}',
    ],
)
def test_metadata_comes_back_byte_for_byte(metadata: str) -> None:
    text = job_json(job_after(created(JOB, client_metadata=metadata)), "detail")
    assert f'"client_metadata": {metadata}, "created"' in text
    assert json.loads(text)["client_metadata"] == json.loads(metadata)


@given(
    st.dictionaries(
        st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)
    ),
    st.booleans(),
)
def test_any_metadata_leaves_the_rest_alone(metadata: dict[str, object], escaped: bool) -> None:
    plain = json.loads(job_json(job_after(created(JOB)), "detail"))
    text = json.dumps(metadata, ensure_ascii=escaped)
    shown = json.loads(job_json(job_after(created(JOB, client_metadata=text)), "detail"))
    assert shown == plain | {"client_metadata": metadata}


def test_an_address_cannot_take_the_place_of_metadata() -> None:
    events = created(JOB, input_url='https://e/"\\u0000client_metadata\\u0000"', client_metadata='{"a": 1}')
    shown = json.loads(job_json(job_after(events), "detail"))
    assert shown["client_metadata"] == {"a": 1}
    assert shown["input_url"] == events.input_url


def test_more_may_be_known_of_the_progress_than_the_events_tell() -> None:
    job = job_after(created(JOB), ev.Started(org=ORG, job=JOB))
    assert json.loads(job_json(job, "detail", progress=7))["progress"] == 7
    assert json.loads(job_json(job_after(*whole_life(JOB)), "detail", progress=7))["progress"] == 100


def test_times() -> None:
    assert timestamp(None) is None
    assert timestamp(datetime(2024, 5, 1, 12, tzinfo=UTC)) == "2024-05-01T12:00:00.000000Z"
    assert timestamp(datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))) == "2024-05-01T10:00:00.000000Z"


def test_what_is_waited_for_is_shown() -> None:
    since = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))
    waits = Waiting(
        code="input_timeout", message="It is out.", service="fetcher", since=since, until=since + timedelta(hours=1)
    )
    job = job_after(created(JOB))
    assert json.loads(job_json(job, "stream", waiting=waits))["waiting"] == {
        "code": "input_timeout",
        "message": "It is out.",
        "service": "fetcher",
        "since": "2026-01-02T02:04:05.000000Z",
        "until": "2026-01-02T03:04:05.000000Z",
    }
    assert json.loads(job_json(job, "webhook"))["waiting"] is None

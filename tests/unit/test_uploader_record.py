"""Who finishes a job: exactly the one who uploaded its last part."""

import pytest

from services.uploader.record import JobRecord, record_of
from shared.events import Admitted, Completed, PartTranscoded, PartUploaded, Recorded
from shared.media.result import Outputs
from tests.support.encoded import make_fetched, make_plan, make_result

ORG, JOB = "org123", "5KQfnXCg8Qh"
PLAN = make_plan(frames=450, segments_in_part=1)


def record(**uploaded: int) -> JobRecord:
    return JobRecord(PLAN, {part: make_result(PLAN, part) for part in uploaded}, uploaded)


def test_the_last_part_in_the_log_closes_the_job() -> None:
    whole = record(v0001=12, a0=10, v0002=15, v0000=11)
    assert [part for part in PLAN.release_order if whole.closed_by(part)] == ["v0002"]


def test_a_job_with_a_missing_part_is_closed_by_nobody() -> None:
    assert not any(record(v0001=12, a0=10, v0002=15).closed_by(part) for part in ("a0", "v0001", "v0002"))


def test_record_out_of_the_log() -> None:
    part = PartTranscoded(org=ORG, job=JOB, part="a0", tracks=make_result(PLAN, "a0"), encoder="aac", seconds=1)
    events = [
        Recorded(3, Admitted(org=ORG, job=JOB)),
        Recorded(5, make_fetched(ORG, JOB, PLAN)),
        Recorded(8, part),
        Recorded(9, PartUploaded(org=ORG, job=JOB, part="a0", objects=3, bytes=10)),
    ]
    assert record_of(events) == JobRecord(PLAN, {"a0": part.tracks}, {"a0": 9})
    with pytest.raises(ValueError, match="no plan"):
        record_of(events[:1])
    outputs = Outputs(master="", dash="", renditions=(), audio=(), bytes=0, segments=0)
    assert record_of([*events, Recorded(10, Completed(org=ORG, job=JOB, outputs=outputs))]).completed

"""What the log tells about a job's output."""

import pytest

from services.uploader.record import JobRecord, record_of
from shared.events import Admitted, Completed, PartUploaded, Recorded
from shared.media.result import Outputs
from tests.support.encoded import make_fetched, make_plan
from tests.support.samples import transcoded

ORG, JOB = "org123", "5KQfnXCg8Qh"
PLAN = make_plan(frames=450, segments_in_part=1)


def test_record_out_of_the_log() -> None:
    part = transcoded(JOB, "a0", ORG)
    events = [
        Recorded(3, Admitted(org=ORG, job=JOB)),
        Recorded(5, make_fetched(ORG, JOB, PLAN)),
        Recorded(8, part),
        Recorded(9, PartUploaded(org=ORG, job=JOB, part="a0", objects=3, bytes=10, uploaded=1)),
    ]
    assert record_of(events) == JobRecord(PLAN, {"a0": part}, frozenset({"a0"}))
    with pytest.raises(ValueError, match="no plan"):
        record_of(events[:1])
    outputs = Outputs(master="", dash="", renditions=(), audio=(), bytes=0, segments=0)
    assert record_of([*events, Recorded(10, Completed(org=ORG, job=JOB, outputs=outputs))]).completed

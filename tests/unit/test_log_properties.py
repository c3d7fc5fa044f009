"""Who wins when many append to one job at once, in any order, with acknowledgements lost: one end, one result of a part."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared import events as ev
from shared.bus.errors import BusUnavailable
from shared.bus.joblog import Appended, JobEnded, JobLog
from shared.bus.parsing import parse_event
from tests.support.lives import JOB
from tests.support.memory_stream import MemoryStream, Outcome
from tests.support.samples import ORG, completed, created, failed, plan, requested, transcoded, uploaded

WRITERS: Sequence[ev.Event] = (
    ev.Started(org=ORG, job=JOB),
    requested(JOB, "v0000", plan()),
    # Two workers at one part, who do not come to the same.
    transcoded(JOB, "v0000").model_copy(update={"encoder": "first"}),
    transcoded(JOB, "v0000").model_copy(update={"encoder": "second"}),
    transcoded(JOB, "v0001"),
    uploaded(JOB, "v0000"),
    completed(JOB),
    completed(JOB),
    failed(JOB),
    failed(JOB, code="worker_lost"),
    ev.Cancelled(org=ORG, job=JOB),
)
"""What is appended at the same time; some of it contradicts the rest."""


async def race(writers: Sequence[ev.Event], draw: Any) -> tuple[list[ev.Event], list[Appended | JobEnded]]:
    """Append all of them at once; the log afterwards, and what each writer was told."""
    pauses, outcomes = st.integers(0, 3), st.sampled_from(["told", "told", "stored and not told", "lost"])
    script: list[Outcome] = draw(st.lists(outcomes, max_size=12))
    stream = MemoryStream(lambda: draw(pauses), lambda: script.pop() if script else "told")
    logs: Any = [JobLog(stream) for _ in range(len(writers))]  # type: ignore[arg-type]
    await until_told(logs[0], created(JOB))
    told = await asyncio.gather(*(until_told(log, event) for log, event in zip(logs, writers, strict=True)))
    return [parse_event(message.data) for message in stream.messages], told


async def until_told(log: JobLog, event: ev.Event) -> Appended | JobEnded:
    """Append as a worker does: whoever hears that the bus is away tries again."""
    while True:
        try:
            return await log.append(event)
        except JobEnded as ended:
            return ended
        except BusUnavailable:
            continue


@given(st.lists(st.sampled_from(WRITERS), min_size=2, max_size=8), st.data())
def test_one_end_and_nothing_after_it(writers: list[ev.Event], data: st.DataObject) -> None:
    log, told = asyncio.run(race(writers, data.draw))
    ends = [event for event in log if event.subject.startswith("end.")]
    assert len(ends) == (1 if any(event.subject.startswith("end.") for event in writers) else 0)
    assert not ends or log[-1] == ends[0]
    assert all(answer.end == ends[0] for answer in told if isinstance(answer, JobEnded))


@given(st.lists(st.sampled_from(WRITERS), min_size=2, max_size=8), st.data())
def test_every_fact_stands_once_and_every_writer_knows_which(writers: list[ev.Event], data: st.DataObject) -> None:
    log, told = asyncio.run(race(writers, data.draw))
    assert max(Counter(event.token() for event in log).values()) == 1
    standing = {event.token(): event for event in log}
    for event, answer in zip(writers, told, strict=True):
        if isinstance(answer, Appended):
            assert answer.recorded.event == standing[event.token()]
        else:
            # It may stand there all the same, where its acknowledgement was lost and the job ended before its writer looked.
            assert answer.end == log[-1] != event


@given(st.data())
def test_the_first_result_of_a_part_is_the_only_one(data: st.DataObject) -> None:
    twins = [event for event in WRITERS if event.token() == "part_transcoded.v0000"]
    log, told = asyncio.run(race(twins, data.draw))
    (standing,) = (event for event in log if event.subject == "part_transcoded")
    assert standing in twins
    answers = [answer.recorded.event for answer in told if isinstance(answer, Appended)]
    assert answers == [standing, standing]

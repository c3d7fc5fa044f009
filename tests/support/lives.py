"""Whole lives of a job for properties: events in any order in which the log can have them."""

from hypothesis import strategies as st

from shared import events as ev
from tests.support.samples import ORG, at, completed, created, failed, fetched, plan, requested, transcoded, uploaded

JOB = "5KQfnXCg8Qh"


@st.composite
def lives(draw: st.DrawFn, *, whole: bool = False) -> list[ev.Event]:
    """The events of a job, up to any point, one second apart.

    Each part is requested, transcoded and uploaded in this order; what becomes of one part says nothing about the others.

    Args:
        whole: up to an end, which may come at any point.
    """
    encode = plan(draw(st.integers(1, 5)))
    seen: dict[str, int] = {}
    middle: list[ev.Event] = []
    for name in draw(st.permutations([name for name in encode.release_order for _ in range(3)])):
        step = seen[name] = seen.get(name, 0) + 1
        if step == 1:
            middle.append(requested(JOB, name, encode))
        else:
            middle.append(transcoded(JOB, name) if step == 2 else uploaded(JOB, name))
    begin: list[ev.Event] = [
        created(JOB),
        ev.Admitted(org=ORG, job=JOB),
        ev.Started(org=ORG, job=JOB),
        fetched(JOB, encode=encode),
    ]
    life = [*begin, *middle][: draw(st.integers(1, len(begin) + len(middle)))]
    if whole or draw(st.booleans()):
        life.append(draw(st.sampled_from([completed(JOB), failed(JOB), ev.Cancelled(org=ORG, job=JOB)])))
    return [event.model_copy(update={"at": at(second)}) for second, event in enumerate(life)]

"""How a use case tells that its work gets on, without knowing of messages: what it had waited for is there again."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, Protocol

Thing = Literal["input", "output", "workspace", "drm"]
"""What work may wait for, as the error codes begin."""


class Report(Protocol):
    """Takes the news; see :func:`made_headway`."""

    async def __call__(self, thing: Thing, *, kept: bool) -> None:
        """There is headway."""


_report: ContextVar[Report | None] = ContextVar("report", default=None)


async def made_headway(thing: Thing, *, kept: bool) -> None:
    """The work has got on with the help of this. May be called as often as one likes; outside of leased work it does nothing.

    Args:
        kept: by so much that was done for good that a later failure is a new one. Else the work is only no longer shown as
            waiting: what fills the work space up and fails, again and again, has waited all the time.
    """
    if report := _report.get():
        await report(thing, kept=kept)


@contextmanager
def reporting(report: Report) -> Iterator[None]:
    """A block, with the tasks begun in it, whose headway is told to ``report``."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)

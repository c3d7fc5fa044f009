"""Which attempt at a piece of work has come to a result: what events tell of it, beside the result itself."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Waited(BaseModel):
    """An outage that the work has waited for. ``since``, ``last``: when it failed for it first, and most recently."""

    model_config = ConfigDict(frozen=True)
    code: str
    since: datetime
    last: datetime


class Attempt(BaseModel):
    """The attempt that has come to a result, and what became of those before it.

    Attributes:
        worker: tells the workers of a service apart, without the name of a host: the end of the id that operators see.
        began: when it began.
        number: counts from 1; the attempts before it have failed, or their workers were never heard of again.
        put_off: how many times the work was handed back unharmed: for another organization's turn, for an outage, or by a
            worker that stopped.
        failures: how many attempts failed for each error code.
        waited: the outages whose ends this attempt has seen.
    """

    model_config = ConfigDict(frozen=True)
    worker: str
    began: datetime
    number: int = 1
    put_off: int = 0
    failures: Mapping[str, int] = {}
    waited: tuple[Waited, ...] = ()


_attempt: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


def this_attempt() -> Attempt | None:
    """The attempt that is being made here; None outside of work that was taken from the bus."""
    return _attempt.get()


@contextmanager
def making(attempt: Attempt) -> Iterator[None]:
    """A block, with the tasks begun in it, whose events say that this attempt has come to them."""
    token = _attempt.set(attempt)
    try:
        yield
    finally:
        _attempt.reset(token)

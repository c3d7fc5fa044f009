"""Spans: what is done, from when to when, and as a part of what."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from shared.errors import MillraceError
from shared.tracing.context import TraceContext, in_ratio

Kind = Literal["internal", "server", "client", "consumer"]
Attribute = str | int | float | bool


@dataclass
class Span:
    """A span that has begun. Members may be changed until it ends.

    Attributes:
        name: of few different ones, after the semantic conventions of OpenTelemetry.
        parent: None for the root of a trace.
        attributes: by their names; nothing secret, and no address.
        links: spans of other traces that this one follows from.
        error: the code of docs/errors.md or the type of error that it ended with; None where it did not.
        begun, ended: nanoseconds since 1970.
        speaks_as: what messages that are published in it name as theirs: the work that it is a part of; None for itself.
        recorded: whether it may be exported.
    """

    name: str
    kind: Kind
    context: TraceContext
    parent: TraceContext | None = None
    attributes: dict[str, Attribute] = field(default_factory=dict)
    links: list[TraceContext] = field(default_factory=list)
    error: str | None = None
    begun: int = field(default_factory=time.time_ns)
    ended: int = 0
    speaks_as: TraceContext | None = None
    recorded: bool = True


class Recorder(Protocol):
    """Takes spans that have ended. Never blocks, never raises."""

    ratio: float

    def record(self, span: Span) -> None:
        """Take one."""


_current: ContextVar[Span | None] = ContextVar("span", default=None)
# One for the process, as its log is: a span may begin anywhere.
_recorders: list[Recorder] = []


@contextmanager
def recording_with(recorder: Recorder) -> Iterator[None]:
    """Spans of this process go to this recorder while the block lasts."""
    _recorders.append(recorder)
    try:
        yield
    finally:
        _recorders.remove(recorder)


def recording() -> bool:
    """Whether spans are recorded at all."""
    return bool(_recorders)


def current() -> TraceContext | None:
    """The span that this task is in; where none are recorded, the one of another process that has led to this."""
    span = _current.get()
    return span.context if span else None


def trace_headers(context: TraceContext | None = None) -> dict[str, str]:
    """The headers that tell whoever gets the request or message what it belongs to: by default the span of this task."""
    context = context or current()
    return context.headers if context else {}


def context_within(trace: TraceContext | None = None) -> TraceContext | None:
    """What to say in a message that belongs to a trace: the work of this task if it is of the same trace, else that of the trace.

    Work of another trace gets a link to it. By default the message is of the trace of this task, whichever that is.
    """
    span = _current.get()
    if span is None:
        return trace
    own = span.speaks_as or span.context
    if trace is None or own.trace_id == trace.trace_id:
        return own
    link_to(trace)
    return trace


def link_to(other: TraceContext | None) -> None:
    """The span of this task follows from another one, perhaps of another trace."""
    span = _current.get()
    if span and other and other not in span.links:
        span.links.append(other)


def annotate(attributes: Mapping[str, Attribute]) -> None:
    """Add attributes to the span of this task."""
    if span := _current.get():
        span.attributes |= attributes


@contextmanager
def span(
    name: str,
    kind: Kind = "internal",
    attributes: Mapping[str, Attribute] | None = None,
    *,
    parent: TraceContext | None = None,
) -> Iterator[Span]:
    """A span around a block; what is raised in it is its error.

    Args:
        parent: by default the span of this task; where there is none either, a new trace begins.
    """
    around = _current.get()
    parent = parent or (around.context if around else None)
    begun = _begin(name, kind, attributes or {}, parent, parent.child() if parent else None)
    begun.speaks_as = around.speaks_as if around else None
    with entered(begun):
        try:
            yield begun
        except BaseException as error:
            begun.error = begun.error or error_type(error)
            raise
        finally:
            end(begun)


def work_span(name: str, attributes: Mapping[str, Attribute], parent: TraceContext | None, message: str) -> Span:
    """A span of a piece of work, which is known by its message: see :mod:`shared.bus.tracing`. To be entered and ended."""
    begun = _begin(name, "consumer", attributes, parent, parent.derived(message) if parent else None)
    begun.speaks_as = begun.context
    return begun


@contextmanager
def entered(span: Span) -> Iterator[None]:
    """A block, with the tasks begun in it, that is in this span."""
    token = _current.set(span if span.recorded or span.parent else None)
    try:
        yield
    finally:
        _current.reset(token)


def end(span: Span) -> None:
    """A span is over, and goes to the recorder."""
    span.ended = time.time_ns()
    if span.recorded and span.context.sampled:
        for recorder in _recorders:
            recorder.record(span)


def error_type(error: BaseException) -> str:
    """How a span names an error: by its code, or its kind. Its text may hold an address, and stays out."""
    if isinstance(error, MillraceError):
        return error.code
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return type(error).__name__


def _begin(
    name: str,
    kind: Kind,
    attributes: Mapping[str, Attribute],
    parent: TraceContext | None,
    context: TraceContext | None,
) -> Span:
    if not _recorders:
        # What this process was given is passed on as it is, or nothing where it was given nothing.
        return Span(name, kind, parent or TraceContext(1, 1, sampled=False), parent, recorded=False)
    ratio = _recorders[-1].ratio
    context = context or TraceContext.root(ratio)
    if context.sampled and kind == "server" and not in_ratio(context.trace_id, ratio):
        # A client may ask for a trace, but not for more of them than the operator wants.
        context = replace(context, sampled=False)
    return Span(name, kind, context, parent, dict(attributes))

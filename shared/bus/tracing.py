"""The span of a piece of work that is taken from the bus.

Each delivery of a message on which work begins is a span below the one that has published the message. Events that the work
publishes name as theirs the span *of the message*, whose id follows from the message alone; the delivery that settles the
message has that id, all others have ids of their own beside it. So what comes after a worker that was killed, whose spans
nobody ever gets to see, still hangs together: with whatever has been published by it before.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from nats.aio.msg import Msg

from shared.bus.subjects import split_job_subject
from shared.tracing.context import TraceContext, read_context
from shared.tracing.spans import Attribute, Span, end, entered, error_type, work_span

_TEMPLATES = {
    "jobs": "jobs.{organization}.{job}",
    "webhooks": "webhooks.attempt.{organization}.{job}.{webhook}.{status}",
}
_OF_A_PART = re.compile(r"(part_requested|part_transcoded)\.(.+)")


class WorkSpan:
    """What is to be said of a delivery. Unless its work begins or is settled there is nothing to say, and no span."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._outcome: str | None = None
        self._settled = False

    def begins(self) -> None:
        """The work begins."""
        self._outcome = "handed_back"

    def stopped(self, reason: str) -> None:
        """The work was stopped from outside."""
        self._outcome = reason

    def failed(self, error: BaseException) -> None:
        """The work has raised an error."""
        self._outcome, self._span.error = "tried_again", error_type(error)

    def settled(self, code: str | None = None) -> None:
        """The message does not come again: its work is done, or was given up with an error code."""
        self._settled = True
        if code is not None:
            self._outcome, self._span.error = "failed", code
        elif self._outcome in (None, "handed_back"):
            self._outcome = "done"

    def close(self) -> None:
        """Record the span."""
        if self._outcome is None:
            return
        self._span.attributes["millrace.outcome"] = self._outcome
        if not self._settled:
            self._span.context = self._span.context.child()
        end(self._span)


_NOTHING = WorkSpan(Span("", "consumer", TraceContext(1, 1, sampled=False), recorded=False))
_work: ContextVar[WorkSpan] = ContextVar("work", default=_NOTHING)


def this_work() -> WorkSpan:
    """The span of the delivery that this task settles."""
    return _work.get()


@contextmanager
def working_on(message: Msg, org: str, job: str) -> Iterator[WorkSpan]:
    """A block in which a message is worked on."""
    metadata = message.metadata
    template, part = _template(message.subject)
    attributes: dict[str, Attribute] = {
        "messaging.system": "nats",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": metadata.stream,
        "messaging.destination.template": template,
        "messaging.consumer.group.name": metadata.consumer,
        "messaging.message.id": str(metadata.sequence.stream),
        "millrace.organization": org,
        "millrace.job": job,
        "millrace.delivery": metadata.num_delivered,
    }
    if part:
        attributes["millrace.part"] = part
    name = f"{metadata.stream} {metadata.sequence.stream} {metadata.consumer}"
    span = work_span(f"process {template}", attributes, read_context(message.headers), name)
    work = WorkSpan(span)
    token = _work.set(work)
    try:
        with entered(span):
            yield work
    finally:
        _work.reset(token)
        work.close()


def _template(subject: str) -> tuple[str, str]:
    """The subject with words for what differs, and the part that it is of."""
    kind = subject.partition(".")[0]
    token = ""
    with suppress(ValueError):
        token = split_job_subject(subject)[2]
    if kind != "jobs":
        return _TEMPLATES.get(kind, kind), ""
    found = _OF_A_PART.fullmatch(token)
    return f"{_TEMPLATES[kind]}.{found[1] + '.{part}' if found else token}", found[2] if found else ""

"""The log of a job: appending facts to it and reading them back.

Appending is optimistic concurrency over the job's own stretch of the stream, ``jobs.<org>.<job>.>``: look at its head,
check what must not be there, publish on the condition that the head is still the same. The server enforces from that
alone that a job has exactly one end, that nothing follows the end, and that the first result of a part wins.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import MaxPayloadError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import APIError, NotFoundError

from shared.attempt import this_attempt
from shared.bus.direct import direct_get
from shared.bus.errors import bus_calls
from shared.bus.parsing import FutureEvent, UnknownEvent, parse_event, parse_message, report_unreadable
from shared.bus.subjects import event_subject, job_subject, split_job_subject
from shared.bus.topology import JOBS
from shared.events import Event, Recorded, Result
from shared.tracing.context import TraceContext, read_context
from shared.tracing.spans import context_within, trace_headers

E = TypeVar("E", bound=Event)
Refine = Callable[[], Awaitable[Event]]
PUBLISH_TIMEOUT = 5.0
# The server's two ways to say "wrong last sequence": compared with what is stored, and with what is on its way in a cluster.
WRONG_LAST_SEQUENCE = (10071, 10164)
HEADER_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
HEADER_EXPECTED_SUBJECT = "Nats-Expected-Last-Subject-Sequence-Subject"
_HEADER_ATTEMPT = "Millrace-Append"
# What these headers take at most.
_HEADERS_BYTES = 512
# Publishes of one append that the server leaves without an answer while it answers reads.
_MOST_UNANSWERED = 2
# Messages that a line was written about: they are read again and again.
_REMEMBERED = 1000
# One request of the server's direct API answers at most 1024 subjects. What comes at once is taken apart in one go by the
# client, so that many more than this would hold up the event loop. Each group
# asks for `created` too: every job has it, and a request that matches nothing would not tell how far the server has got.
MAX_SUBJECTS_PER_READ = 128
MOST_FACTS = 32
"""Facts kept in memory: of each job two, of as many jobs as a worker has under way, and some."""
_READ_GROUPS = (
    ("*", "end.*"),
    ("created", "part_requested.*"),
    ("created", "part_transcoded.*"),
    ("created", "part_uploaded.*"),
    ("created", "playback_extended.*"),
)


class JobEnded(Exception):
    """The job has ended; nothing can be appended. ``end`` is the event that ended it."""

    def __init__(self, end: Event) -> None:
        self.end = end
        super().__init__(f"job {end.job} has ended: {end.token()}")


@dataclass(frozen=True)
class Appended:
    """Outcome of an append. ``new`` is False where the same fact stood there already; ``recorded`` is then that one."""

    recorded: Recorded
    new: bool


class JobLog:
    """The log of all jobs, one job at a time.

    A message of the log that this code cannot read is kept and skipped: told of once, and never an error.
    """

    def __init__(self, client: Client) -> None:
        self._nc = client
        self._js = client.jetstream(timeout=PUBLISH_TIMEOUT)
        # A plan may be 200 KB, and every part of a film asks for it.
        self._facts: OrderedDict[str, Event] = OrderedDict()
        self._reported: set[int] = set()

    @bus_calls()
    async def append(self, event: Event, *, refine: Refine | None = None) -> Appended:
        """Append a fact, unless it stands there already.

        Args:
            refine: makes the event to append, on the same subject, out of what the log holds. It is asked again whenever
                somebody else was faster, so what it has read is still the newest when the event is stored.

        Returns when the server has stored it. An unknown outcome (a time-out, a lost connection) is looked up, so a
        caller that gets an exception may simply try again.

        Raises:
            JobEnded: the job has ended before.
            BusUnavailable: the bus is out of reach, or does not write.
            PermanentError: ``event_too_large``.
        """
        subject = event_subject(event)
        event = _attributed(event)
        whole_job = job_subject(event.org, event.job, ">")
        attempt = secrets.token_hex(8)
        unanswered = 0
        while True:
            head = await self._head(whole_job)
            end = await self.end_of(event.org, event.job)
            if end and event_subject(end.event) != subject:
                raise JobEnded(end.event)
            present = await self.last(subject)
            if present:
                return Appended(present, new=present.attempt == attempt)
            if refine:
                event = _attributed(await refine())
            try:
                ack = await self._js.publish(
                    subject,
                    encoded(event, self._nc),
                    stream=JOBS,
                    timeout=PUBLISH_TIMEOUT,
                    headers={
                        HEADER_EXPECTED: str(head.sequence),
                        HEADER_EXPECTED_SUBJECT: whole_job,
                        _HEADER_ATTEMPT: attempt,
                        # All events of a job are of one trace, whoever publishes them.
                        **trace_headers(context_within(head.trace)),
                    },
                )
            except APIError as error:
                if error.err_code not in WRONG_LAST_SEQUENCE:
                    raise
                # Somebody was faster, or our own publish of an earlier round was stored after all: look again.
                continue
            except (TimeoutError, NatsTimeoutError):
                # Unknown outcome: the next round finds the event if it was stored. If the bus is gone, that read raises. If it
                # reads but does not write, which is how NATS goes on after its disk was full, it is no use waiting here.
                unanswered += 1
                if unanswered >= _MOST_UNANSWERED:
                    raise
                continue
            return Appended(Recorded(ack.seq, event), new=True)

    async def end_of(self, org: str, job: str) -> "Recorded | None":
        """The event that ended the job, if one has."""
        return await self.last(job_subject(org, job, "end.*"))

    @bus_calls()
    async def last(self, subject: str) -> "_Found | None":
        """The last event on a subject (or filter), from the stream's leader.

        Returns:
            None also where the last message is no event; an :class:`UnknownEvent` for one that a newer version has written:
            what it tells is unknown, and that it was told still counts.

        Raises:
            BusUnavailable: the bus is out of reach, here and wherever this is asked.
        """
        try:
            message = await self._js.get_last_msg(JOBS, subject)
        except NotFoundError:
            return None
        found, sequence = str(message.subject), int(message.seq or 0)
        try:
            event = parse_event(message.data or b"")
        except ValueError as error:
            self._report(found, sequence, error)
            if not isinstance(error, FutureEvent):
                return None
            org, job, token = split_job_subject(found)
            event = UnknownEvent(org=org, job=job, named=token)
        return _Found(sequence, event, str((message.headers or {}).get(_HEADER_ATTEMPT, "")))

    async def fact(self, org: str, job: str, kind: type[E]) -> E | None:
        """The job's event of a kind that is published once for each job, such as ``Fetched``. Kept: it never changes."""
        subject = job_subject(org, job, kind.subject)
        event = self._facts.pop(subject, None)
        if event is None:
            found = await self.last(subject)
            event = found.event if found else None
        if event is not None:
            self._facts[subject] = event
            if len(self._facts) > MOST_FACTS:
                self._facts.popitem(last=False)
        return event if isinstance(event, kind) else None

    @bus_calls()
    async def read(self, org: str, job: str, *, at_least: int = 0) -> list[Recorded]:
        """All events of a job in the log's order, up to its newest one at the time of the call.

        Every event has a subject of its own, so the last message of each subject is all of them. A message that is no
        event of this job is left out.

        Args:
            at_least: a sequence that the answer must reach, for a caller that knows of it.

        Raises:
            BusUnavailable: the bus is out of reach, or does not get as far as ``at_least``.
        """
        deadline = asyncio.get_running_loop().time() + PUBLISH_TIMEOUT
        while True:
            head = (await self._head(job_subject(org, job, ">"))).sequence
            if head == at_least == 0:
                return []
            if head >= at_least:
                filters = [[job_subject(org, job, token) for token in group] for group in _READ_GROUPS]
                groups = await asyncio.gather(*(self._last_of_each(group, head) for group in filters))
                if None not in groups:
                    # The groups are read one after the other. What came after the head is left to the next read: in one
                    # group it was seen, in another perhaps not, and a gap would be worse than its absence.
                    found = {item.sequence: item for group in groups for item in group or () if item.sequence <= head}
                    return [found[sequence] for sequence in sorted(found)]
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"the log of job {job} does not reach {max(head, at_least)}")
            await asyncio.sleep(0.02)

    @bus_calls()
    async def trace_of(self, org: str, job: str) -> TraceContext | None:
        """The trace of a job: the span that has published its newest event. None where no service records any."""
        return (await self._head(job_subject(org, job, ">"))).trace

    async def _head(self, subject_filter: str) -> "_Head":
        try:
            message = await self._js.get_last_msg(JOBS, subject_filter)
        except NotFoundError:
            return _Head(0, None)
        return _Head(int(message.seq or 0), read_context(message.headers))

    async def _last_of_each(self, filters: list[str], head: int) -> list[Recorded] | None:
        """The last message of each subject, or None from a copy of the stream that has not got as far as ``head`` yet."""
        found: list[Recorded] = []
        start = 0
        while True:
            request = {"multi_last": filters, "batch": MAX_SUBJECTS_PER_READ, "seq": start}
            answers, end = await direct_get(self._nc, JOBS, request, seconds=PUBLISH_TIMEOUT)
            # Reading hundreds of events takes longer than an event loop should stand still.
            found += await asyncio.to_thread(self._all_recorded, answers)
            if int(end.get("Nats-UpTo-Sequence", 0)) < head:
                return None
            # Left over where the answer is bigger than the server sends at once.
            if int(end.get("Nats-Num-Pending", 0)) == 0:
                return found
            start = int(end["Nats-Last-Sequence"]) + 1

    def _all_recorded(self, messages: Sequence[Msg]) -> list[Recorded]:
        return [recorded for message in messages if (recorded := self._recorded(message))]

    def _recorded(self, message: Msg) -> Recorded | None:
        headers = message.headers or {}
        sequence, subject = int(headers["Nats-Sequence"]), headers["Nats-Subject"]
        try:
            return Recorded(sequence, parse_message(subject, message.data))
        except ValueError as error:
            self._report(subject, sequence, error)
            return None

    def _report(self, subject: str, sequence: int, error: ValueError) -> None:
        if sequence not in self._reported:
            if len(self._reported) >= _REMEMBERED:
                self._reported.clear()
            self._reported.add(sequence)
            report_unreadable(subject, sequence, error)


def encoded(event: Event, client: Client) -> bytes:
    """An event as it is published.

    Raises:
        MaxPayloadError: it is larger than the server takes.
    """
    data = event.model_dump_json().encode()
    if len(data) + _HEADERS_BYTES > client.max_payload:
        # The client looks at the data alone; the server counts the headers too, and would cut the connection.
        raise MaxPayloadError
    return data


def _attributed(event: Event) -> Event:
    """The event with the attempt that has come to it, if it tells of one."""
    attempt = this_attempt()
    return event.model_copy(update={"attempt": attempt}) if attempt and isinstance(event, Result) else event


@dataclass(frozen=True)
class _Found(Recorded):
    attempt: str = ""


@dataclass(frozen=True)
class _Head:
    """The newest event of a job: its place, 0 where there is none, and the span that has published it."""

    sequence: int
    trace: TraceContext | None

"""The beginnings of jobs: their first events, which need no look at the log.

Nothing can stand there before the first event of a new job, so that it is published straight away, on the condition that this is
so; with it go those of all jobs that begin at the same time, for one write to the server's disk.
"""

from collections.abc import Sequence

from nats.aio.client import Client
from nats.js.errors import APIError

from shared.bus.errors import bus_calls, meaning_of
from shared.bus.joblog import HEADER_EXPECTED, HEADER_EXPECTED_SUBJECT, PUBLISH_TIMEOUT, WRONG_LAST_SEQUENCE, encoded
from shared.bus.subjects import event_subject, job_subject
from shared.bus.together import Together, publish_each, publish_together
from shared.coalescing import Coalescer
from shared.events import Created, Recorded
from shared.tracing.spans import context_within, trace_headers


class Beginnings:
    """Appends the first events of jobs."""

    def __init__(self, client: Client) -> None:
        self._nc = client
        self._together = Coalescer(self._store)

    async def begin(self, created: Created) -> Recorded | None:
        """Append the first event of a job.

        Returns when the server has stored it; None where something of the job is there already, and nothing was stored.

        Raises:
            BusUnavailable: the bus is out of reach; whether it is stored is unknown.
            PermanentError: ``event_too_large``.
        """
        async with bus_calls():
            message = self._message(created)
        sequence = await self._together.do(message)
        return Recorded(sequence, created) if sequence else None

    async def begin_all(self, created: Sequence[Created]) -> list[Recorded] | None:
        """Append the first events of several jobs: all of them or, whatever happens meanwhile, none.

        Returns when the server has stored them; None where one of the jobs is there already, and nothing was stored.

        Raises:
            BusUnavailable: the bus is out of reach; whether they are stored is unknown, but it is the same for all.
            PermanentError: ``event_too_large``.
        """
        async with bus_calls():
            messages = [self._message(event) for event in created]
        first = await self._publish(messages)
        return [Recorded(first + place, event) for place, event in enumerate(created)] if first else None

    def _message(self, created: Created) -> Together:
        expected = {HEADER_EXPECTED: "0", HEADER_EXPECTED_SUBJECT: job_subject(created.org, created.job, ">")}
        return Together(event_subject(created), encoded(created, self._nc), expected | trace_headers(context_within()))

    async def _store(self, messages: Sequence[Together]) -> list[int | Exception]:
        """The sequences of messages; 0 for one that is not the first of its job."""
        outcomes = await publish_each(self._nc, messages, seconds=PUBLISH_TIMEOUT)
        return [0 if _is_refused(one) else meaning_of(one) if isinstance(one, Exception) else one for one in outcomes]

    @bus_calls()
    async def _publish(self, messages: Sequence[Together]) -> int:
        """Store messages: the sequence of the first; 0 where a job is there already."""
        try:
            return await publish_together(self._nc, messages, seconds=PUBLISH_TIMEOUT)
        except APIError as error:
            if _is_refused(error):
                return 0
            raise


def _is_refused(outcome: int | Exception) -> bool:
    """Whether the server has found something of the job."""
    return isinstance(outcome, APIError) and outcome.err_code in WRONG_LAST_SEQUENCE

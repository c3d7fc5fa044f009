"""Following a job to its end: by server-sent events, resumed where they break off, or by asking where none come through."""

from collections.abc import Iterable

from millrace_client.answers import error_of
from millrace_client.backoff import RETRIED
from millrace_client.core import Core, job_id
from millrace_client.errors import ApiError, MillraceError, UnexpectedAnswer, Unreachable, WaitTimedOut
from millrace_client.jobs import JOBS, fields_query, get
from millrace_client.models import Job
from millrace_client.sse import EventReader
from millrace_client.steps import Answer, Close, Feed, Flow, Open, Pause, Request, Show, read

PATIENCE_SECONDS = 300.0
QUIET_SECONDS = 25.0
"""Silence after which a stream counts as broken. The server says something every 15 s."""
RECONNECT_SECONDS = 2.0
POLL_SECONDS = 5.0
# A stream is read in steps of up to 15 s: with less time left than that and a bit, the job is asked for instead.
_TOO_SHORT_SECONDS = 20.0
# After a stream that has brought no event, asking so often comes before the next one.
_ASKS = 12


def follow(
    core: Core, job: Job | str, *, fields: Iterable[str] | None = None, patience: float = PATIENCE_SECONDS
) -> Feed[Job]:
    """The job now, and whenever its status, stage or progress changes, until it has ended. The last one shown is its end.

    A connection that breaks is made again, at the state where it broke. Where a proxy lets no events through, the job is asked
    for every few seconds instead.

    Args:
        fields: the members to ask for, beside ``id`` and ``status``: only a change of one of these shows a state. None for all.
        patience: seconds without any answer of the server after which to give up.

    Raises:
        NotFound: the organization has no such job. InvalidToken: the token is not, or no longer, good.
        Unreachable, Unavailable: there was no answer for as long as the patience lasts.
    """
    yield from _Following(core, job_id(job), patience, None, fields).states()


def wait(core: Core, job: Job | str, *, timeout: float | None = None, patience: float = PATIENCE_SECONDS) -> Flow[Job]:
    """The job as it ended, well or not: ``wait(job).raise_if_failed()`` is a completed job or an exception.

    Args:
        timeout: seconds to wait at most; None for as long as it takes. patience: as in :func:`follow`.

    Raises:
        WaitTimedOut: it has not ended by then.
        NotFound, InvalidToken, Unreachable, Unavailable: as in :func:`follow`.
    """
    following = _Following(core, job_id(job), patience, timeout)
    yield from following.states()
    if following.shown is None:
        raise UnexpectedAnswer("The stream of events ended without a word about the job.")
    return following.shown


class _Following:
    """One job that is being followed.

    Attributes:
        shown: the newest state that was shown.
    """

    def __init__(
        self, core: Core, job: str, patience: float, timeout: float | None, fields: Iterable[str] | None = None
    ) -> None:
        self.shown: Job | None = None
        self._core = core
        self._job = job
        self._patience = patience
        self._timeout = timeout
        self._fields = None if fields is None else tuple(fields)
        self._began = self._heard = core.clock()
        self._events = EventReader()
        self._asks = 0

    def states(self) -> Feed[Job]:
        """Each state once, until the job has ended."""
        while not self._ended:
            left = self._left()
            if left <= 0 and self.shown is not None:
                raise WaitTimedOut(self._job, self._timeout or 0.0, self.shown)
            try:
                yield from self._stream() if self._asks == 0 and left > _TOO_SHORT_SECONDS else self._ask()
            except (Unreachable, ApiError) as error:
                if not passes(error) or self._core.clock() - self._heard > self._patience or self._left() <= 0:
                    raise
                if isinstance(error, ApiError) or not error.sent:
                    # Nothing is known of whether events come through.
                    self._asks = 0
                pause = (error.retry_after if isinstance(error, ApiError) else None) or 0.0
                yield Close()
                yield from self._pause(max(pause, self._reconnect))
            else:
                yield Close()

    @property
    def _ended(self) -> bool:
        return self.shown is not None and self.shown.finished

    @property
    def _reconnect(self) -> float:
        return RECONNECT_SECONDS if self._events.retry_seconds is None else self._events.retry_seconds

    def _left(self) -> float:
        """Seconds until the timeout."""
        return float("inf") if self._timeout is None else self._began + self._timeout - self._core.clock()

    def _pause(self, seconds: float) -> Feed[Job]:
        yield Pause(max(min(seconds, self._left()), 0.0))

    def _stream(self) -> Feed[Job]:
        """Show what a stream brings, to its end."""
        self._asks = _ASKS
        self._events.begin()
        url = self._core.address(JOBS, self._job, "events", query=fields_query(self._fields))
        if not (yield from opened(self._core, url, min(QUIET_SECONDS, self._left()), self._events.last_id)):
            # Asking tells which of the two it is, and says whether the job exists.
            yield from self._ask()
            return
        while piece := (yield from read()):
            self._heard = self._core.clock()
            for event in self._events.feed(piece):
                if event.name == "job":
                    self._asks = 0
                    yield from self._show(Job.from_json(event.data))
            if self._ended or self._left() <= _TOO_SHORT_SECONDS:
                return
        yield from self._pause(self._reconnect)

    def _ask(self) -> Feed[Job]:
        """Show the job as it is now, and wait a little."""
        self._asks = max(self._asks - 1, 0)
        job = yield from get(self._core, self._job, fields=self._fields)
        self._heard = self._core.clock()
        yield from self._show(job)
        if not self._ended:
            yield from self._pause(POLL_SECONDS if self._left() > _TOO_SHORT_SECONDS else 1.0)

    def _show(self, job: Job) -> Feed[Job]:
        """Show a state unless it is the one that was shown last."""
        # Compared by what they mean: a state that was asked for is spelled otherwise than the same one in a stream.
        if self.shown is None or job.model_dump() != self.shown.model_dump():
            self.shown = job
            yield Show(job)


def opened(core: Core, url: str, seconds: float, last_id: str | None = None) -> Flow[bool]:
    """Open a stream of events; False where it is over, or where none come through.

    Args:
        seconds: of silence after which it counts as broken. last_id: of the event behind which it is resumed.

    Raises:
        ApiError: the server refused.
    """
    request = core.request("GET", url, accept="text/event-stream")
    resume = {"Last-Event-ID": last_id} if last_id else {}
    # An encoding would be a reason for what is between to collect what shall arrive at once.
    headers = {**request.headers, **resume, "Accept-Encoding": "identity"}
    answer: Answer = yield Open(Request(request.method, request.url, headers), seconds)
    if answer.status != 204 and answer.headers.get("content-type", "").startswith("text/event-stream"):
        return True
    if answer.status >= 300 and answer.status not in (404, 405, 406):
        raise error_of(answer)
    return False


def passes(error: MillraceError) -> bool:
    """Whether it may go away by itself."""
    return isinstance(error, Unreachable) or (
        isinstance(error, ApiError) and (error.status == 429 or error.status in RETRIED)
    )

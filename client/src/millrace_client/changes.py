"""Every change of a job's status in the organization, as webhooks are told of: by server-sent events over the list of jobs."""

from collections import OrderedDict
from collections.abc import Callable

from millrace_client.core import Core
from millrace_client.errors import ApiError, Unreachable
from millrace_client.follow import PATIENCE_SECONDS, POLL_SECONDS, QUIET_SECONDS, RECONNECT_SECONDS, opened, passes
from millrace_client.jobs import JOBS, page
from millrace_client.listing import PAGE_SIZE
from millrace_client.models import Job, Status
from millrace_client.sse import EventReader
from millrace_client.steps import Close, Feed, Flow, Pause, Show, read

_UNDER_WAY = (Status.QUEUED, Status.TRANSCODING)
_MOST_KNOWN = 10_000


def changes(
    core: Core, *, on_begin: Callable[[], None] = lambda: None, patience: float = PATIENCE_SECONDS
) -> Feed[Job]:
    """Jobs whose status has changed, as they are then, from now on and without an end.

    A status that a job leaves within a second may be passed over, and so may jobs beyond the newest hundred that are under way:
    webhooks miss none.

    Args:
        on_begin: called as soon as it is known what was there before, which is no news.
        patience: seconds without any answer of the server after which to give up.

    Raises:
        InvalidToken: the token is not, or no longer, good.
        Unreachable, Unavailable: there was no answer for as long as the patience lasts.
    """
    yield from _Watching(core, on_begin, patience).forever()


class _Watching:
    """What was seen of the organization's jobs."""

    def __init__(self, core: Core, on_begin: Callable[[], None], patience: float) -> None:
        self._core = core
        self._on_begin = on_begin
        self._patience = patience
        self._heard = core.clock()
        self._begun = False
        self._known: OrderedDict[str, Status] = OrderedDict()

    def forever(self) -> Feed[Job]:
        """Rounds: what is there now, and what becomes of it until the list changes."""
        while True:
            try:
                under_way = yield from self._look()
                yield from self._listen(under_way)
            except (Unreachable, ApiError) as error:
                if not passes(error) or self._core.clock() - self._heard > self._patience:
                    raise
                yield Close()
                yield Pause((error.retry_after if isinstance(error, ApiError) else None) or RECONNECT_SECONDS)
            else:
                yield Close()

    def _look(self) -> Flow[list[str]]:
        """Show what has changed. Returns the ids of the jobs that are under way."""
        # The newest as well: a job may have come and gone since the last time.
        newest = yield from page(self._core, page_size=PAGE_SIZE)
        under_way = yield from page(self._core, page_size=PAGE_SIZE, status=_UNDER_WAY)
        self._heard = self._core.clock()
        found = {job.id: job for job in (*newest.results, *under_way.results)}
        for job in reversed(found.values()):
            yield from self._take(job)
        if not self._begun:
            self._begun = True
            self._on_begin()
        return [job.id for job in under_way.results]

    def _listen(self, jobs: list[str]) -> Feed[Job]:
        """Show what becomes of jobs, until the list of jobs has changed."""
        url = self._core.address(JOBS, "events", query=[("ids", ",".join(jobs))] if jobs else [])
        if not (yield from opened(self._core, url, QUIET_SECONDS)):
            # Looking again tells, too.
            yield Pause(POLL_SECONDS)
            return
        events = EventReader()
        while piece := (yield from read()):
            self._heard = self._core.clock()
            for event in events.feed(piece):
                if event.name == "job":
                    yield from self._take(Job.from_json(event.data))
                elif event.name == "list":
                    return

    def _take(self, job: Job) -> Feed[Job]:
        """Show a job unless its status is the one that it had."""
        before = self._known.get(job.id)
        self._known[job.id] = job.status
        self._known.move_to_end(job.id)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        if self._begun and before is not job.status:
            yield Show(job)

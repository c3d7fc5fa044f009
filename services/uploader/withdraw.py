"""Takes back the playlists of a job that could be played before it was complete, and never will be complete."""

from collections import OrderedDict

import structlog

from services.uploader.bucket.bucket import Bucket
from services.uploader.bucket.buckets import Buckets
from services.uploader.early import EarlyPlayback
from shared.bus.joblog import JobLog
from shared.errors import ComeAgain, PermanentError, TransientError
from shared.events import Completed, Created, Event, Fetched
from shared.media.layout import DASH, IFRAMES, MULTIVARIANT, kind_of, playlist_name
from shared.media.plan import Plan

_AGAIN_SECONDS, _LOOKS = 1.0, 3
"""An uploader hears of the end of its job at once, and a request that it has begun is over soon after. What it brings to the
bucket in that time is taken back by the next look."""

_OUTAGE_SECONDS, _MOST_LOOKS = 30.0, 120
"""A storage that is out of order is waited for for an hour. The leader of the api leaves the credentials alone for longer."""

_MOST_JOBS = 10_000

EMPTY = b"#EXTM3U\n"
"""What takes the place of a playlist that the credentials do not let us remove: no player plays anything of it."""


class Withdraw:
    """Removes playlists of jobs that have ended without success.

    Only those of early playback: of all other jobs none is written before they are complete. Segments stay where they are, as
    they do of every job that fails: a retry uses them.
    """

    def __init__(self, log: JobLog, buckets: Buckets, early: EarlyPlayback) -> None:
        self._log = log
        self._buckets = buckets
        self._early = early
        # Of jobs that this process has looked at and has to look at again; where another one does, it counts for itself.
        self._looks: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def __call__(self, end: Event) -> None:
        """Remove what there is, as far as that can be done.

        Raises:
            ComeAgain: somebody may be writing still, or the storage is out of order.
        """
        org, job = end.org, end.job
        if isinstance(end, Completed):
            return
        created = await self._log.fact(org, job, Created)
        # Its plan may be large: only jobs that may have such playlists are asked for it.
        fetched = await self._log.fact(org, job, Fetched) if created and created.early_playback else None
        if not fetched:
            return
        log, looks = structlog.get_logger(), self._looks.pop((org, job), 0)
        try:
            async with self._buckets.of(org, job) as bucket:
                # The one that leads to the others first.
                emptied = [path for path in playlists_of(fetched.plan) if not await _removed(bucket, path)]
        except (PermanentError, TransientError) as error:
            if isinstance(error, TransientError) and looks < _MOST_LOOKS:
                self._again(org, job, looks)
                raise ComeAgain(_OUTAGE_SECONDS if looks >= _LOOKS else _AGAIN_SECONDS) from error
            # Its credentials do not work any more, or it is gone: nobody can do anything.
            await log.awarning("playlists not removed", code=error.code, detail=error.detail)
            return
        await log.ainfo("playlists removed", emptied=len(emptied))
        if looks < _LOOKS and (await self._early.edge(org, job, fetched.plan)).lister:
            self._again(org, job, looks)
            raise ComeAgain(_AGAIN_SECONDS)

    def _again(self, org: str, job: str, looks: int) -> None:
        self._looks[org, job] = looks + 1
        if len(self._looks) > _MOST_JOBS:
            self._looks.popitem(last=False)


def playlists_of(plan: Plan) -> list[str]:
    """Paths of all playlists of a job and of its manifest, what leads to others first."""
    video = [rung.name for rung in plan.rungs]
    folders = [*video, *(part.folder for part in plan.audio), *(part.folder for part in plan.text)]
    media = [f"{folder}/{playlist_name(kind_of(folder))}" for folder in folders]
    return [MULTIVARIANT, DASH, *media, *(f"{folder}/{IFRAMES}" for folder in video)]


async def _removed(bucket: Bucket, path: str) -> bool:
    """Remove a playlist, if there is one; False where it could only be emptied."""
    if await bucket.remove(path) or await bucket.size(path) is None:
        return True
    await bucket.put(path, EMPTY, changes=True)
    return False

"""The release of a job's parts: with each part that is uploaded, further ones are requested."""

from shared.bus.fleet import FleetView, window_for
from shared.bus.joblog import JobLog
from shared.bus.subjects import job_subject
from shared.bus.urgency import USUAL_WEIGHT
from shared.errors import PermanentError
from shared.events import Admitted, Created, Fetched, PartRequested


class Release:
    """Requests parts in the release order, without a gap.

    How many depends on how many are uploaded, not on which: whatever part ends makes room for the next one, so a long part or a
    slow worker holds nobody back. And only once a part is uploaded, not when it was encoded: a job whose upload is slow would
    fill the work space.

    Any number of uploaders may do it for one job at the same time, and again after a crash: a part is requested once. Whoever
    uploads the part with the highest number so far finds one under way, or requests one; his message is unsettled until then, so
    a job never stands still.
    """

    def __init__(self, log: JobLog, fleet: FleetView) -> None:
        self._log = log
        self._fleet = fleet

    async def __call__(self, fetched: Fetched, *, uploaded: int) -> None:
        """Request what may begin now.

        Args:
            uploaded: how many parts of the job are.

        Raises:
            JobEnded: the job is over.
        """
        plan = fetched.plan
        order = plan.release_order
        requested = await self._requested(fetched)
        if requested == len(order):
            return
        under_way = max(0, requested - uploaded)
        end = uploaded + window_for(await self._fleet.look(), under_way=under_way, most=plan.most_under_way)
        if end <= requested:
            return
        created = await self._log.fact(fetched.org, fetched.job, Created)
        # Not out of the part that was uploaded: a transcoder of the version before does not pass the weight on.
        admitted = await self._log.fact(fetched.org, fetched.job, Admitted)
        if created is None:
            raise PermanentError("internal_error", "the log has no beginning of this job")
        weight = admitted.weight if admitted else USUAL_WEIGHT
        for part in order[requested:end]:
            await self._log.append(PartRequested.planned(created, plan, part, weight=weight))

    async def _requested(self, fetched: Fetched) -> int:
        """How many parts are requested, from the first one to the one before the first gap."""
        org, job, order = fetched.org, fetched.job, fetched.plan.release_order
        newest = await self._log.last(job_subject(org, job, f"{PartRequested.subject}.*"))
        if newest is None:
            return 0
        if isinstance(newest.event, PartRequested) and newest.event.left is not None:
            return order.index(newest.event.part) + 1
        # Another version requested it, and perhaps not in order.
        recorded = await self._log.read(org, job)
        found = {one.event.part for one in recorded if isinstance(one.event, PartRequested)}
        return next((number for number, part in enumerate(order) if part not in found), len(order))

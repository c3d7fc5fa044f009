"""How jobs stand among the others of their organization: their places in its queue, and the jobs that run them again."""

from collections.abc import Sequence

from services.api.contract.responses import MOST_PLACES
from services.api.database.pool import Connection
from shared.job import Job
from shared.payload import Standing

# Only the head of the queue is numbered, by the index that has it in order, once for all jobs that are asked for: this costs the
# same however many wait. As an array, because joining it makes the planner look through all of it row by row for each job.
_PLACES = """
    with head as materialized (
        select array(
            select id from jobs
            where org = $1 and not admitted and status = 'queued' order by priority desc, created, id limit $3
        ) as ids
    )
    select jobs.id, coalesce(array_position(head.ids, jobs.id), $3 + 1) as place
    from head, jobs
    where jobs.id = any($2::text[]) and jobs.org = $1 and not jobs.admitted and jobs.status = 'queued'
"""
_RETRIES = """
    select distinct on (retry_of) retry_of, id from jobs
    where retry_of = any($2::text[]) and org = $1 order by retry_of, created desc, id desc
"""


async def standings(connection: Connection, org: str, jobs: Sequence[Job]) -> dict[str, Standing]:
    """The standing of each of an organization's jobs, by its id."""
    waiting = [job.id for job in jobs if job.status == "queued" and not job.admitted]
    places = (
        {row["id"]: row["place"] for row in await connection.fetch(_PLACES, org, waiting, MOST_PLACES)}
        if waiting
        else {}
    )
    failed = [job.id for job in jobs if job.status in ("error", "cancelled")]
    retries = {row["retry_of"]: row["id"] for row in await connection.fetch(_RETRIES, org, failed)} if failed else {}
    return {job.id: Standing(places.get(job.id), retries.get(job.id)) for job in jobs}

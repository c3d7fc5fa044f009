"""How jobs stand among the others of their organization: their places in its queue, and the jobs that run them again."""

from collections.abc import Sequence

from services.api.contract.responses import MOST_PLACES
from services.api.database.pool import Connection
from shared.job import Job
from shared.payload import Standing

# Only the head of the queue is numbered, by the index that has it in order, once for all jobs that are asked for: this costs the
# same however many wait.
_PLACES = """
    with head as (
        select id, row_number() over (order by priority desc, created, id) as place
        from (
            select id, priority, created from jobs
            where org = $1 and not admitted and status = 'queued' order by priority desc, created, id limit $3
        ) as first
    )
    select jobs.id, coalesce(head.place, $3 + 1) as place
    from jobs left join head on head.id = jobs.id
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

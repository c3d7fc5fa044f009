"""The quotas that a new job has to pass, counted in Postgres: exact, however many processes take jobs at the same time."""

from collections.abc import Mapping
from dataclasses import dataclass

from asyncpg import Record

from services.api.contract.errors import QuotaExceeded
from services.api.contract.quotas import (
    in_force,
    too_many_jobs_this_hour,
    too_many_source_gigabytes,
    too_many_source_minutes,
    too_many_unfinished_jobs,
)
from services.api.database.pool import Connection

# Everything of all organizations at once. Counted without a limit too, so that the operator sees what a limit would mean; and by
# the clock: a transaction that began in the hour before must not set the hour back.
_COUNT = """
    with given as (
        select code as org, jobs from organizations join unnest($1::text[], $2::integer[]) as given (code, jobs) using (code)
    ),
    added as (
        insert into created_jobs as known (org, hour, jobs)
        select org, date_trunc('hour', clock_timestamp()), jobs from given order by org
        on conflict (org) do update
        set hour = excluded.hour, jobs = excluded.jobs + case when known.hour = excluded.hour then known.jobs else 0 end
        returning org, jobs, ceil(extract(epoch from hour + interval '1 hour' - clock_timestamp()))::integer as left
    )
    select organizations.code as org, max_unfinished_jobs, max_jobs_per_hour, max_source_minutes_per_day,
           max_source_gigabytes_per_day, counts.rows, counts.jobs as unfinished, added.jobs as this_hour, added.left
    from added join organizations on organizations.code = added.org cross join lateral (
        select count(*) as rows, coalesce(sum(claims), 0)::bigint as jobs from claim_counts where claim_counts.org = added.org
    ) as counts
"""
_DRAW_TOGETHER = """
    with drawn as (delete from claim_counts where org = $1 returning claims)
    insert into claim_counts select $1, sum(claims) from drawn having sum(claims) <> 0
"""
# Summing these takes no time; the retention draws them together too, but only once a minute.
_MANY_ROWS = 200
_LESS = """
    update created_jobs set jobs = greatest(jobs - $2, 0)
    where org = $1 and hour = date_trunc('hour', clock_timestamp())
"""
# Negative rows are those of jobs that were deleted.
_FETCHED_TODAY = """
    select coalesce(sum(seconds), 0) / 60 as minutes, coalesce(sum(bytes), 0) / 1e9 as gigabytes,
           ceil(extract(epoch from (today.day + 1) - now() at time zone 'UTC'))::integer as left
    from (select (now() at time zone 'UTC')::date as day) as today
    left join source_counts as counts on counts.org = $1 and counts.day = today.day
    group by today.day
"""


@dataclass(frozen=True)
class JobQuotas:
    """The quotas of organizations that have none of their own; 0 is no limit."""

    unfinished_jobs: int
    jobs_per_hour: int
    source_minutes_per_day: int = 0
    source_gigabytes_per_day: int = 0

    async def count(self, connection: Connection, jobs: Mapping[str, int]) -> dict[str, list[QuotaExceeded]]:
        """Count jobs whose output locations have been claimed in this transaction, which holds the locks of their organizations.

        Args:
            jobs: how many, by organization.

        Returns:
            of each organization why some of its jobs are too many, one for each of the last ones. They are not counted; the
            caller gives back what was reserved for them in the same transaction, or does not commit it.
        """
        refused: dict[str, list[QuotaExceeded]] = {}
        for row in await connection.fetch(_COUNT, list(jobs), list(jobs.values())):
            org = row["org"]
            refused[org] = await self._refusals(connection, row, jobs[org])
            if refused[org]:
                await connection.execute(_LESS, org, len(refused[org]))
            if row["rows"] > _MANY_ROWS:
                await connection.execute(_DRAW_TOGETHER, org)
        return refused

    async def _refusals(self, connection: Connection, row: Record, jobs: int) -> list[QuotaExceeded]:
        refused: list[QuotaExceeded] = []
        if limit := in_force(row["max_unfinished_jobs"], self.unfinished_jobs):
            refused += _beyond(row["unfinished"], limit, jobs) * [too_many_unfinished_jobs(limit)]
        left = jobs - len(refused)
        minutes = in_force(row["max_source_minutes_per_day"], self.source_minutes_per_day)
        gigabytes = in_force(row["max_source_gigabytes_per_day"], self.source_gigabytes_per_day)
        if minutes or gigabytes:
            (today,) = await connection.fetch(_FETCHED_TODAY, row["org"])
            if minutes and today["minutes"] >= minutes:
                return refused + left * [too_many_source_minutes(minutes, max(1, today["left"]))]
            if gigabytes and today["gigabytes"] >= gigabytes:
                return refused + left * [too_many_source_gigabytes(gigabytes, max(1, today["left"]))]
        if limit := in_force(row["max_jobs_per_hour"], self.jobs_per_hour):
            over = _beyond(row["this_hour"] - len(refused), limit, left)
            refused += over * [too_many_jobs_this_hour(limit, max(1, row["left"]))]
        return refused


def _beyond(count: int, limit: int, new: int) -> int:
    """How many of the new ones are too many."""
    return min(new, max(0, count - limit))


async def count_no_longer(connection: Connection, org: str) -> None:
    """Take back the count of a job that came to nothing."""
    await connection.execute(_LESS, org, 1)

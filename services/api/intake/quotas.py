"""The quotas that a new job has to pass, counted in Postgres: exact, however many processes take jobs at the same time."""

from dataclasses import dataclass

from services.api.contract.errors import QuotaExceeded
from services.api.contract.quotas import (
    in_force,
    too_many_jobs_this_hour,
    too_many_source_gigabytes,
    too_many_source_minutes,
    too_many_unfinished_jobs,
)
from services.api.database.pool import Connection

# The lock lets no two requests count at the same time. Other organizations have other rows.
_OWN_QUOTAS = """
    select max_unfinished_jobs, max_jobs_per_hour, max_source_minutes_per_day, max_source_gigabytes_per_day
    from organizations where code = $1 for no key update
"""
_UNFINISHED = "select count(*) as rows, coalesce(sum(claims), 0)::bigint as jobs from claim_counts where org = $1"
_DRAW_TOGETHER = """
    with drawn as (delete from claim_counts where org = $1 returning claims)
    insert into claim_counts select $1, sum(claims) from drawn having sum(claims) <> 0
"""
# Summing these takes no time; the retention draws them together too, but only once a minute.
_MANY_ROWS = 200
# By the clock: a transaction that began in the hour before must not set the hour back.
_MORE = """
    insert into created_jobs as known (org, hour, jobs) values ($1, date_trunc('hour', clock_timestamp()), $2)
    on conflict (org) do update
    set hour = excluded.hour, jobs = excluded.jobs + case when known.hour = excluded.hour then known.jobs else 0 end
    returning jobs, ceil(extract(epoch from hour + interval '1 hour' - clock_timestamp()))::integer as left
"""
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

    async def count(self, connection: Connection, org: str, jobs: int) -> list[QuotaExceeded]:
        """Count jobs whose output locations have been claimed in this transaction. To be called last in it.

        Returns:
            why some are too many, one for each of the last ones. They are not counted; the caller gives back what was reserved
            for them in the same transaction, or does not commit it.
        """
        own = await connection.fetchrow(_OWN_QUOTAS, org)
        if own is None:
            return []
        refused: list[QuotaExceeded] = []
        if limit := in_force(own["max_unfinished_jobs"], self.unfinished_jobs):
            (found,) = await connection.fetch(_UNFINISHED, org)
            refused += min(jobs, max(0, found["jobs"] - limit)) * [too_many_unfinished_jobs(limit)]
            if found["rows"] > _MANY_ROWS:
                await connection.execute(_DRAW_TOGETHER, org)
        minutes = in_force(own["max_source_minutes_per_day"], self.source_minutes_per_day)
        gigabytes = in_force(own["max_source_gigabytes_per_day"], self.source_gigabytes_per_day)
        if minutes or gigabytes:
            (today,) = await connection.fetch(_FETCHED_TODAY, org)
            left = jobs - len(refused)
            if minutes and today["minutes"] >= minutes:
                return refused + left * [too_many_source_minutes(minutes, max(1, today["left"]))]
            if gigabytes and today["gigabytes"] >= gigabytes:
                return refused + left * [too_many_source_gigabytes(gigabytes, max(1, today["left"]))]
        if len(refused) < jobs:
            refused += await self._count_this_hour(connection, org, jobs - len(refused), own["max_jobs_per_hour"])
        return refused

    async def _count_this_hour(
        self, connection: Connection, org: str, jobs: int, own: int | None
    ) -> list[QuotaExceeded]:
        # Counted without a limit too, so that the operator sees what a limit would mean.
        (created,) = await connection.fetch(_MORE, org, jobs)
        limit = in_force(own, self.jobs_per_hour)
        over = min(jobs, max(0, created["jobs"] - limit)) if limit else 0
        if over:
            await connection.execute(_LESS, org, over)
        return over * [too_many_jobs_this_hour(limit, max(1, created["left"]))]


async def count_no_longer(connection: Connection, org: str) -> None:
    """Take back the count of a job that came to nothing."""
    await connection.execute(_LESS, org, 1)

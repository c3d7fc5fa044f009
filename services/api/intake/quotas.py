"""The quotas that a new job has to pass, counted in Postgres: exact, however many processes take jobs at the same time."""

from dataclasses import dataclass

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
_ONE_MORE = """
    insert into created_jobs as known (org, hour, jobs) values ($1, date_trunc('hour', clock_timestamp()), 1)
    on conflict (org) do update
    set hour = excluded.hour, jobs = 1 + case when known.hour = excluded.hour then known.jobs else 0 end
    returning jobs, ceil(extract(epoch from hour + interval '1 hour' - clock_timestamp()))::integer as left
"""
_ONE_LESS = """
    update created_jobs set jobs = jobs - 1
    where org = $1 and jobs > 0 and hour = date_trunc('hour', clock_timestamp())
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

    async def count(self, connection: Connection, org: str) -> None:
        """Count a job whose output location has been claimed in this transaction. To be called last in it.

        Raises:
            QuotaExceeded: it is one too many; the caller's transaction must not be committed.
        """
        own = await connection.fetchrow(_OWN_QUOTAS, org)
        if own is None:
            return
        if limit := in_force(own["max_unfinished_jobs"], self.unfinished_jobs):
            (found,) = await connection.fetch(_UNFINISHED, org)
            if found["jobs"] > limit:
                raise too_many_unfinished_jobs(limit)
            if found["rows"] > _MANY_ROWS:
                await connection.execute(_DRAW_TOGETHER, org)
        minutes = in_force(own["max_source_minutes_per_day"], self.source_minutes_per_day)
        gigabytes = in_force(own["max_source_gigabytes_per_day"], self.source_gigabytes_per_day)
        if minutes or gigabytes:
            (today,) = await connection.fetch(_FETCHED_TODAY, org)
            if minutes and today["minutes"] >= minutes:
                raise too_many_source_minutes(minutes, max(1, today["left"]))
            if gigabytes and today["gigabytes"] >= gigabytes:
                raise too_many_source_gigabytes(gigabytes, max(1, today["left"]))
        # Counted without a limit too, so that the operator sees what a limit would mean.
        (created,) = await connection.fetch(_ONE_MORE, org)
        limit = in_force(own["max_jobs_per_hour"], self.jobs_per_hour)
        if limit and created["jobs"] > limit:
            raise too_many_jobs_this_hour(limit, max(1, created["left"]))


async def count_no_longer(connection: Connection, org: str) -> None:
    """Take back the count of a job that came to nothing."""
    await connection.execute(_ONE_LESS, org)

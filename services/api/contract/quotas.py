"""The quotas of an organization, and its weight beside the others. Pure.

Quotas are unfinished jobs, jobs an hour, source minutes and bytes a day, requests a minute, past which requests are refused; and
jobs under way, past which further ones wait.
"""

from services.api.contract.errors import QuotaExceeded

MOST_QUOTA = 1_000_000_000
"""Far beyond any use, and well inside what Postgres keeps."""

UNFINISHED_JOBS = "unfinished_jobs"
JOBS_PER_HOUR = "jobs_per_hour"
REQUESTS_PER_MINUTE = "requests_per_minute"
SOURCE_MINUTES_PER_DAY = "source_minutes_per_day"
SOURCE_GIGABYTES_PER_DAY = "source_gigabytes_per_day"
ACTIVE_JOBS = "active_jobs"
QUOTAS = (
    UNFINISHED_JOBS,
    JOBS_PER_HOUR,
    SOURCE_MINUTES_PER_DAY,
    SOURCE_GIGABYTES_PER_DAY,
    REQUESTS_PER_MINUTE,
    ACTIVE_JOBS,
)
"""Names of the quotas. The column of ``organizations`` is called ``max_<name>``."""
USUAL_WEIGHT, LEAST_WEIGHT, MOST_WEIGHT = 1.0, 0.01, 100.0
"""Of an organization for which none is set; and what may be set."""

OPEN_UPLOADS = "open_uploads"

# Nobody knows when the next job ends.
_JOB_ENDS_SECONDS = 60


def setting_of(quota: str) -> str:
    """The setting that holds for organizations without a quota of their own."""
    return "max_active_per_organization" if quota == ACTIVE_JOBS else f"max_{quota}"


def in_force(own: int | None, setting: int) -> int:
    """The quota that holds: the organization's own, else that of the settings. 0 is no limit."""
    return setting if own is None else own


def too_many_unfinished_jobs(limit: int) -> QuotaExceeded:
    """There are as many unfinished jobs as there may be."""
    reason = f"This organization may have {limit} unfinished jobs. Wait until some have ended, or cancel some."
    return QuotaExceeded(UNFINISHED_JOBS, limit, reason, _JOB_ENDS_SECONDS)


def too_many_jobs_this_hour(limit: int, seconds: int) -> QuotaExceeded:
    """No more jobs in this hour, which ends in ``seconds``."""
    return QuotaExceeded(JOBS_PER_HOUR, limit, f"This organization may create {limit} jobs an hour.", seconds)


def too_many_source_minutes(limit: int, seconds: int) -> QuotaExceeded:
    """The sources of this day (UTC), which ends in ``seconds``, last as long as they may together."""
    reason = f"This organization may have {limit} minutes of sources transcoded a day (UTC), which are used up."
    return QuotaExceeded(SOURCE_MINUTES_PER_DAY, limit, reason, seconds)


def too_many_source_gigabytes(limit: int, seconds: int) -> QuotaExceeded:
    """The sources of this day (UTC), which ends in ``seconds``, are as large as they may be together."""
    reason = f"This organization may have {limit} GB of sources fetched a day (UTC), which are used up."
    return QuotaExceeded(SOURCE_GIGABYTES_PER_DAY, limit, reason, seconds)


def too_many_open_uploads(limit: int, seconds: int) -> QuotaExceeded:
    """There are as many uploads that are neither completed, used nor given up as there may be; one expires in ``seconds``."""
    reason = (
        f"This organization may have {limit} open uploads. Complete some, use them in jobs, or give them up (DELETE)."
    )
    return QuotaExceeded(OPEN_UPLOADS, limit, reason, seconds)


def too_many_requests(limit: int, seconds: int) -> QuotaExceeded:
    """The next request is answered in ``seconds``."""
    return QuotaExceeded(REQUESTS_PER_MINUTE, limit, f"This organization may send {limit} requests a minute.", seconds)

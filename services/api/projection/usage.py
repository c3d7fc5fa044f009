"""The usage of organizations in Postgres: what is written of it beside the triggers, which count the jobs that end.

The log does not have the jobs any more that were pruned, so their usage is kept where no rebuild counts it anew.
"""

from services.api.contract.usage import SUMS

_KEYS = ("org", "day", "status", "pruned")
_AMOUNTS = ("jobs", *SUMS)

# The sums stay what they are, so it may happen at any time, and twice at once: in their order, as all who lock several rows do.
DRAW_USAGE_TOGETHER = f"""
    with drawn as (delete from usage_changes returning *)
    insert into usage_days ({", ".join((*_KEYS, *_AMOUNTS))})
    select {", ".join(_KEYS)}, {", ".join(f"sum({amount})" for amount in _AMOUNTS)}
    from drawn group by {", ".join(_KEYS)} order by {", ".join(_KEYS)}
    on conflict ({", ".join(_KEYS)}) do update
    set {", ".join(f"{amount} = usage_days.{amount} + excluded.{amount}" for amount in _AMOUNTS)}
"""  # noqa: S608 - our own names
"""Brings what has changed since the last time into the table of days."""


def delete_keeping_usage(condition: str, jobs: str = "jobs") -> str:
    """SQL that deletes jobs and keeps the usage of those that have ended, once, whoever else deletes them at the same time.

    Args:
        condition: which ones. jobs: the table.
    """
    amounts = ", ".join(f"coalesce(sum({amount}::numeric), 0)" for amount in SUMS)
    return f"""
        with gone as (delete from {jobs} where {condition} returning *)
        insert into usage_changes ({", ".join((*_KEYS, *_AMOUNTS))})
        select org, (ended at time zone 'UTC')::date, status, true, count(*), {amounts}
        from gone where ended is not null group by 1, 2, 3
    """  # noqa: S608 - our own names

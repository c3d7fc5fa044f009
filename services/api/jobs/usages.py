"""What the jobs of an organization have taken, as the tables count it from the log."""

from services.api.contract.usage import SUMS, PeriodAmounts, Tally, Usage, UsageQuery
from services.api.database.pool import Database

_TODAY = "select (now() at time zone 'UTC')::date"
# Each has few rows for a day: what was drawn together, and what came since.
_OF_PERIODS = f"""
    select to_char(day, $4) as period, status, {", ".join(f"sum({amount})::numeric as {amount}" for amount in ("jobs", *SUMS))}
    from (
        select * from usage_days where org = $1 and day between $2 and $3
        union all
        select * from usage_changes where org = $1 and day between $2 and $3
    ) as counted
    group by 1, 2
"""  # noqa: S608 - our own names
_NAMES = {"day": "YYYY-MM-DD", "month": "YYYY-MM"}


class Usages:
    """The usage of all organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def show(self, org: str, query: UsageQuery) -> Usage:
        """What an organization's jobs have taken, by period.

        Raises:
            Invalid: too many periods are asked for, or none.
        """
        async with self._database.connection() as connection:
            first, last = query.span(await connection.fetchval(_TODAY))
            rows = await connection.fetch(_OF_PERIODS, org, first, last, _NAMES[query.by])
        total = Tally()
        periods = {name: Tally() for name in query.periods(first, last)}
        for row in rows:
            for tally in (total, periods[row["period"]]):
                tally.add(row["status"], row["jobs"], {name: row[name] for name in SUMS})
        return Usage(
            by=query.by,
            total=total.amounts(),
            results=[PeriodAmounts(period=name, **dict(tally.amounts())) for name, tally in periods.items()],
        )

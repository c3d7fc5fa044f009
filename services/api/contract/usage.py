"""What an organization's jobs have taken, by period: the parameters of the request, and the answer in JSON and CSV."""

import csv
import io
from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal, cast

from pydantic import Field

from services.api.contract.errors import Invalid
from services.api.contract.listing import ParameterReader, Parameters
from services.api.contract.responses import Response

Period = Literal["day", "month"]
MOST_DAYS, MOST_MONTHS = 366, 120
_USUAL_DAYS, _USUAL_MONTHS = 31, 12
SUMS = ("source_seconds", "source_bytes", "rendition_seconds", "encode_seconds", "output_bytes")
"""What is summed in the tables, beside the number of jobs."""

_PARAMETERS = ("from", "to", "by", "format")


@dataclass(frozen=True)
class UsageQuery:
    """What was asked for; None where nothing was said.

    Attributes:
        first, last: days (UTC).
        as_csv: None leaves it to the header.
    """

    first: date | None
    last: date | None
    by: Period
    as_csv: bool | None

    def span(self, today: date) -> tuple[date, date]:
        """The first and the last day (UTC) that are counted; of months always the whole.

        Raises:
            Invalid: there is no day among them, or too many.
        """
        last = self.last or today
        if self.by == "day":
            first = self.first or _back(last, _USUAL_DAYS - 1)
            count, most = (last - first).days + 1, MOST_DAYS
        else:
            first = (self.first or _month(_months_of(last) - _USUAL_MONTHS + 1)).replace(day=1)
            count, most = _months_of(last) - _months_of(first) + 1, MOST_MONTHS
            last = _end_of_month(last)
        if count < 1:
            raise Invalid({"from": ["Must not be later than `to`."]})
        if count > most:
            raise Invalid({"from": [f"Ensure there are no more than {most} {self.by}s up to `to`."]})
        return first, last

    def periods(self, first: date, last: date) -> Iterator[str]:
        """The names of all periods of a span."""
        if self.by == "day":
            yield from ((first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1))
        else:
            yield from (_month(number).isoformat()[:7] for number in range(_months_of(first), _months_of(last) + 1))


def read_usage_query(parameters: Parameters) -> UsageQuery:
    """Which usage is asked for.

    Raises:
        Invalid: naming each parameter that is unknown or malformed.
    """
    reader = ParameterReader(parameters, _PARAMETERS)
    first, last = reader.day("from"), reader.day("to")
    by = cast(Period, reader.choice("by", ("day", "month"), "day"))
    form = reader.choice("format", ("json", "csv"), "")
    reader.finish()
    return UsageQuery(first, last, by, form == "csv" if form else None)


class EndedJobs(Response):
    """How many jobs have ended, by how."""

    completed: int = 0
    error: int = 0
    cancelled: int = 0


class Amounts(Response):
    """What jobs have taken."""

    jobs: EndedJobs = Field(examples=[{"completed": 40, "error": 1, "cancelled": 0}])
    source_minutes: float = Field(description="Of the films that were fetched", examples=[61.25])
    rendition_minutes: float = Field(
        description="Of video that was made: a film of 10 minutes at 3 resolutions has 30. What a retry has inherited is not "
        "made again",
        examples=[183.75],
    )
    encode_seconds: float = Field(
        description="How long encoders have worked, by the clock: of encodes side by side each counts, however many processors "
        "it has. Attempts that failed do not count",
        examples=[1712.4],
    )
    bytes_in: int = Field(description="Of the sources that were fetched", examples=[734003200])
    bytes_out: int = Field(description="Of the segments that were uploaded", examples=[412316860])


class PeriodAmounts(Amounts):
    """What the jobs have taken that ended in a period."""

    period: str = Field(description="A day or a month (UTC)", examples=["2026-01-31", "2026-01"])


class Usage(Response):
    """What the jobs of an organization have taken."""

    by: Period
    total: Amounts = Field(description="Of all periods together")
    results: list[PeriodAmounts] = Field(description="One for each period, also where nothing has ended, oldest first")

    def as_csv(self) -> str:
        """A line for each period, below the names of the columns (RFC 4180)."""
        text = io.StringIO()
        numbers = [name for name in Amounts.model_fields if name != "jobs"]
        writer = csv.writer(text)
        writer.writerow(["period", *(f"jobs_{end}" for end in EndedJobs.model_fields), *numbers])
        for line in self.results:
            ends = line.jobs.model_dump().values()
            writer.writerow([line.period, *ends, *(getattr(line, name) for name in numbers)])
        return text.getvalue()


class Tally:
    """Exact sums, from which amounts are made."""

    def __init__(self) -> None:
        self._ends: Counter[str] = Counter()
        self._sums = dict.fromkeys(SUMS, Decimal())

    def add(self, status: str, jobs: Decimal, sums: Mapping[str, Decimal]) -> None:
        """Count jobs that have ended so. ``sums``: what they have taken, by the names in :data:`SUMS`."""
        self._ends[status] += int(jobs)
        for name, value in sums.items():
            self._sums[name] += value

    def amounts(self) -> Amounts:
        """As they are shown."""
        sums = self._sums
        return Amounts(
            jobs=EndedJobs(**{name: self._ends[name] for name in EndedJobs.model_fields}),
            source_minutes=float(round(sums["source_seconds"] / 60, 3)),
            rendition_minutes=float(round(sums["rendition_seconds"] / 60, 3)),
            encode_seconds=float(round(sums["encode_seconds"], 3)),
            bytes_in=int(sums["source_bytes"]),
            bytes_out=int(sums["output_bytes"]),
        )


def _back(day: date, days: int) -> date:
    return date.fromordinal(max(day.toordinal() - days, 1))


def _months_of(day: date) -> int:
    return day.year * 12 + day.month - 1


def _month(number: int) -> date:
    year, month = divmod(max(number, 12), 12)
    return date(year, month + 1, 1)


def _end_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])

"""Usage: which periods are counted, and how they are shown."""

import csv
import io
from datetime import date
from decimal import Decimal

import pytest

from services.api.contract.errors import Invalid
from services.api.contract.usage import SUMS, PeriodAmounts, Tally, Usage, read_usage_query

TODAY = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("given", "first", "last", "count"),
    [
        ({}, "2026-03-01", "2026-03-31", 31),
        ({"from": "2026-03-31"}, "2026-03-31", "2026-03-31", 1),
        ({"to": "2024-02-29", "from": "2024-02-28"}, "2024-02-28", "2024-02-29", 2),
        ({"to": "2024-12-31", "from": "2024-01-01"}, "2024-01-01", "2024-12-31", 366),
        ({"by": "month"}, "2025-04-01", "2026-03-31", 12),
        ({"by": "month", "from": "2025-12-31", "to": "2026-02-01"}, "2025-12-01", "2026-02-28", 3),
        ({"by": "month", "from": "2016-04-30"}, "2016-04-01", "2026-03-31", 120),
        ({"by": "day", "to": "0001-01-05"}, "0001-01-01", "0001-01-05", 5),
        ({"by": "month", "to": "0001-01-05"}, "0001-01-01", "0001-01-31", 1),
        ({"by": "month", "to": "9999-12-05"}, "9999-01-01", "9999-12-31", 12),
    ],
)
def test_spans(given: dict[str, str], first: str, last: str, count: int) -> None:
    query = read_usage_query(list(given.items()))
    span = query.span(TODAY)
    periods = list(query.periods(*span))
    assert [day.isoformat() for day in span] == [first, last]
    assert (len(periods), periods) == (count, sorted(set(periods)))
    length = 10 if query.by == "day" else 7
    assert (periods[0], periods[-1]) == (first[:length], last[:length])


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"from": "2026-04-01"}, "from"),
        ({"from": "2025-03-30"}, "from"),
        ({"by": "month", "from": "2016-03-31"}, "from"),
        ({"from": "2026-02-30"}, "from"),
        ({"to": "20260230"}, "to"),
        ({"to": ""}, "to"),
        ({"by": "year"}, "by"),
        ({"format": "xml"}, "format"),
        ({"page": "1"}, "page"),
    ],
)
def test_what_is_no_span(given: dict[str, str], wrong: str) -> None:
    with pytest.raises(Invalid) as raised:
        read_usage_query(list(given.items())).span(TODAY)
    assert set(raised.value.body) == {wrong}


def test_sums_are_exact() -> None:
    tally = Tally()
    for status in ("completed", "error", "completed"):
        tally.add(status, Decimal(1), dict.fromkeys(SUMS, Decimal("0.1")) | {"source_bytes": Decimal(2**62)})
    shown = tally.amounts()
    assert shown.jobs.model_dump() == {"completed": 2, "error": 1, "cancelled": 0}
    assert (shown.encode_seconds, shown.source_minutes, shown.bytes_in) == (0.3, 0.005, 3 * 2**62)


def test_csv_has_a_line_for_each_period() -> None:
    lines = [PeriodAmounts(period=day, **dict(Tally().amounts())) for day in ("2026-01-30", "2026-01-31")]
    usage = Usage(by="day", total=Tally().amounts(), results=lines)
    read = list(csv.DictReader(io.StringIO(usage.as_csv())))
    assert [row["period"] for row in read] == ["2026-01-30", "2026-01-31"]
    columns = [f"jobs_{end}" for end in ("completed", "error", "cancelled")]
    columns += [name for name in PeriodAmounts.model_fields if name not in ("period", "jobs")]
    assert list(read[0]) == ["period", *columns]
    assert {float(read[0][column]) for column in columns} == {0}

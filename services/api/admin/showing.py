"""How commands show what they have found: as a table for people, or as JSON."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.payload import timestamp

Row = Mapping[str, Any]


def show(rows: Sequence[Row], columns: Sequence[str], *, as_json: bool, nothing: str = "") -> None:
    """Print rows.

    Args:
        columns: which members of the rows a table has; JSON has all of them, one object a line.
        nothing: what to say to people where there are no rows.
    """
    if as_json:
        for row in rows:
            print(json.dumps(row, default=_plain, ensure_ascii=False))
    elif rows or not nothing:
        heads = tuple(column.upper().replace("_", " ") for column in columns)
        print_table(heads, [tuple(_cell(row.get(column)) for column in columns) for row in rows])
    else:
        print(nothing)


def tell(row: Row, sentence: str, *, as_json: bool) -> None:
    """Print one thing that was done, as it is done."""
    print(json.dumps(row, default=_plain, ensure_ascii=False) if as_json else sentence, flush=True)


def print_table(head: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Print a table in columns as wide as they have to be."""
    lines = [head, *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return str(timestamp(value) if isinstance(value, datetime) else value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return timestamp(value)
    raise TypeError(f"{type(value).__name__} is not shown")

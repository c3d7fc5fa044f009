"""What commands print as a table."""

from collections.abc import Sequence
from typing import Any


def print_table(head: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Print rows below a head, in columns as wide as need be."""
    lines = [head, *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())

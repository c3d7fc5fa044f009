"""Durations for people."""

from itertools import pairwise


def duration(seconds: float) -> str:
    """So many seconds in two units at most: ``42 s``, ``3 min 5 s``, ``2 h 10 min``, ``3 d 4 h``."""
    whole = max(0, round(seconds))
    units = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    for (length, unit), (smaller, below) in pairwise(units):
        if whole >= length:
            rest = whole % length // smaller
            return f"{whole // length} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{whole} s"

"""What a rule is, and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from checker.presentation import Presentation

Severity = Literal["must", "should"]


@dataclass(frozen=True)
class Finding:
    """A place where a rule does not hold: what was measured there, and what the rule expects."""

    where: str
    what: str
    measured: str = ""
    expected: str = ""


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        id: ``apple-N`` is item N of Apple's authoring specification, ``rfc8216bis-N`` section N of that draft, ``dash-…``
            what ISO/IEC 23009-1 says of the manifest, ``cmaf-…`` and ``mp4-…`` what ISO/IEC 23000-19 and 14496-14 say of boxes,
            ``millrace-…`` a promise of our own.
        needs_media: whether it looks into the segments themselves.
    """

    id: str
    severity: Severity
    text: str
    find: Callable[[Presentation], Iterable[Finding]]
    needs_media: bool = False


def told(value: Fraction | None) -> str:
    """Seconds or a rate for a person."""
    return "unknown" if value is None else f"{float(value):.6f}".rstrip("0").rstrip(".")

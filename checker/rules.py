"""The table of rules, and its application to a presentation."""

from dataclasses import dataclass

from checker.finding import Finding, Rule
from checker.judging import (
    boxes,
    dash,
    dash_values,
    documents,
    encryption,
    growing,
    iframes,
    syntax,
    text,
    tiles,
    timing,
    variants,
    video,
)
from checker.presentation import Presentation

RULES: tuple[Rule, ...] = tuple(
    rule
    for module in (
        documents,
        syntax,
        boxes,
        video,
        variants,
        timing,
        iframes,
        text,
        dash,
        dash_values,
        tiles,
        encryption,
    )
    for rule in module.RULES
)

GROWING_RULES: tuple[Rule, ...] = (*(rule for rule in RULES if rule.id not in growing.NOT_YET), *growing.RULES)
"""For a presentation that can be played already and is not complete."""


@dataclass(frozen=True)
class Outcome:
    """What came of one rule; ``skipped`` where it needs the segments and they were not read."""

    rule: Rule
    findings: tuple[Finding, ...]
    skipped: bool = False


@dataclass(frozen=True)
class Report:
    """The outcome of all rules for the presentation of a multivariant playlist, which lies at ``address``."""

    address: str
    outcomes: tuple[Outcome, ...]

    @property
    def ok(self) -> bool:
        """No MUST is violated."""
        return not any(outcome.findings and outcome.rule.severity == "must" for outcome in self.outcomes)

    @property
    def violated(self) -> tuple[str, ...]:
        """Ids of the rules that found something, of both severities."""
        return tuple(outcome.rule.id for outcome in self.outcomes if outcome.findings)


def apply_rules(presentation: Presentation, rules: tuple[Rule, ...] = RULES) -> Report:
    """Apply every rule."""
    return Report(presentation.multivariant.url, tuple(_outcome(rule, presentation) for rule in rules))


def _outcome(rule: Rule, presentation: Presentation) -> Outcome:
    if rule.needs_media and not presentation.measured:
        return Outcome(rule, (), skipped=True)
    return Outcome(rule, tuple(rule.find(presentation)))

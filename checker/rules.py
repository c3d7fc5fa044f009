"""The table of rules, and its application to a stream."""

from dataclasses import dataclass

from checker import documents, picture, text, timing
from checker.finding import Finding, Rule
from checker.stream import Stream

RULES: tuple[Rule, ...] = (*documents.RULES, *picture.RULES, *timing.RULES, *text.RULES)


@dataclass(frozen=True)
class Outcome:
    """What came of one rule; ``skipped`` where it needs the segments and they were not read."""

    rule: Rule
    findings: tuple[Finding, ...]
    skipped: bool = False


@dataclass(frozen=True)
class Report:
    """The outcome of all rules for the stream of a master playlist."""

    master: str
    outcomes: tuple[Outcome, ...]

    @property
    def ok(self) -> bool:
        """No MUST is violated."""
        return not any(outcome.findings and outcome.rule.severity == "must" for outcome in self.outcomes)

    @property
    def violated(self) -> tuple[str, ...]:
        """Ids of the rules that found something, of both severities."""
        return tuple(outcome.rule.id for outcome in self.outcomes if outcome.findings)


def apply_rules(stream: Stream, rules: tuple[Rule, ...] = RULES) -> Report:
    """Apply every rule."""
    return Report(stream.master.url, tuple(_outcome(rule, stream) for rule in rules))


def _outcome(rule: Rule, stream: Stream) -> Outcome:
    if rule.needs_media and not stream.measured:
        return Outcome(rule, (), skipped=True)
    return Outcome(rule, tuple(rule.find(stream)))

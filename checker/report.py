"""A report as text for people and as data for programs. Pure."""

from typing import Any

from checker.rules import Outcome, Report

_MOST_SHOWN = 10


def as_data(report: Report) -> dict[str, Any]:
    """``{"address", "ok", "rules": [{"id", "severity", "text", "skipped", "findings": [{"where", …}]}]}``."""
    return {
        "address": report.address,
        "ok": report.ok,
        "rules": [
            {
                "id": outcome.rule.id,
                "severity": outcome.rule.severity,
                "text": outcome.rule.text,
                "skipped": outcome.skipped,
                "findings": [dict(finding.__dict__) for finding in outcome.findings],
            }
            for outcome in report.outcomes
        ],
    }


def as_text(report: Report) -> str:
    """What was found, the rules that hold in a word each."""
    lines = [report.address]
    for outcome in report.outcomes:
        lines += _lines(outcome)
    broken = {severity: _count(report, severity) for severity in ("must", "should")}
    skipped = sum(outcome.skipped for outcome in report.outcomes)
    checked = len(report.outcomes) - skipped
    lines.append(
        f"{'FAIL' if not report.ok else 'OK'}: {checked} rules checked, {broken['must']} MUST and "
        f"{broken['should']} SHOULD violated" + (f", {skipped} skipped" if skipped else "")
    )
    return "\n".join(lines)


def _lines(outcome: Outcome) -> list[str]:
    rule = outcome.rule
    state = "skip" if outcome.skipped else rule.severity.upper() if outcome.findings else "ok"
    lines = [f"  {state:6} {rule.id:26} {rule.text}"]
    for finding in outcome.findings[:_MOST_SHOWN]:
        lines.append(f"           {finding.where}: {finding.what}: {finding.measured}; expected {finding.expected}")
    if len(outcome.findings) > _MOST_SHOWN:
        lines.append(f"           and {len(outcome.findings) - _MOST_SHOWN} more")
    return lines


def _count(report: Report, severity: str) -> int:
    return sum(bool(outcome.findings) for outcome in report.outcomes if outcome.rule.severity == severity)

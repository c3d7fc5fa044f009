"""The check of every job before it is completed: on what is known already, without reading a segment again. Pure."""

from collections.abc import Mapping

from services.uploader.check.rules import Report
from services.uploader.check.subset import check_presentation
from services.uploader.presentation import Presentation
from shared.events import JobWarning
from shared.media.result import Compliance, Violation

_MOST_PLACES = 3
"""Places told for each rule: the log keeps this for ever, and the same rule is mostly violated everywhere or nowhere."""


def check_compliance(presentation: Presentation, documents: Mapping[str, bytes]) -> Compliance:
    """Hold the playlists (by path below the output prefix) against the rules and against what was made."""
    texts = {path: body.decode() for path, body in documents.items()}
    return compliance_of(check_presentation(presentation, texts))


def compliance_of(report: Report) -> Compliance:
    """A report in the form in which a job's outputs carry it."""
    skipped = sum(outcome.skipped for outcome in report.outcomes)
    return Compliance(
        ok=report.ok,
        checked=len(report.outcomes) - skipped,
        skipped=skipped,
        violations=tuple(
            Violation(
                rule=outcome.rule.id,
                severity=outcome.rule.severity,
                text=outcome.rule.text,
                where=finding.where,
                measured=f"{finding.what}: {finding.measured}",
                expected=finding.expected,
            )
            for outcome in report.outcomes
            for finding in outcome.findings[:_MOST_PLACES]
        ),
    )


def not_compliant(compliance: Compliance) -> tuple[JobWarning, ...]:
    """The warning for a stream that violates a MUST: it is all there, but a player may stumble."""
    broken = dict.fromkeys(one.rule for one in compliance.violations if one.severity == "must")
    if not broken:
        return ()
    message = f"The output does not keep every rule for HLS streams ({', '.join(broken)}); see outputs.compliance."
    return (JobWarning(code="not_compliant", message=message),)

"""The check of every job before it is completed: on what is known already, without reading a segment again. Pure."""

from collections.abc import Mapping
from itertools import accumulate

from checker.rules import Report
from checker.subset import WrittenTrack, check_written
from checker.tracks import Segment
from services.uploader.manifest.presentation import Presentation, Rendition, VideoRendition
from shared.media.layout import INIT_SEGMENT, MULTIVARIANT, segment_name
from shared.media.result import Compliance, JobWarning, Violation

_MOST_PLACES = 3
"""Places told for each rule: the log keeps this for ever, and the same rule is mostly violated everywhere or nowhere."""


def check_compliance(presentation: Presentation, documents: Mapping[str, bytes]) -> Compliance:
    """Hold the playlists (by path below the output prefix) against the rules and against what was made."""
    return compliance_of(check_presentation(presentation, {path: body.decode() for path, body in documents.items()}))


def check_presentation(presentation: Presentation, documents: Mapping[str, str]) -> Report:
    """The checker's report on a stream that is about to be published.

    Args:
        documents: texts of the playlists by path below the output prefix, the multivariant playlist among them.
    """
    written = [_written(track) for track in (*presentation.video, *presentation.audio)]
    objects = {path: size for track in presentation.all_renditions for path, size in track.objects().items()}
    return check_written(MULTIVARIANT, documents, written, objects)


def _written(track: Rendition) -> WrittenTrack:
    starts = accumulate(track.durations, initial=0)
    marks = track.iframes if isinstance(track, VideoRendition) else ()
    segments = []
    for number, (size, start, duration) in enumerate(zip(track.sizes, starts, track.durations, strict=False)):
        steps = [ticks for _, _, ticks in marks[number]] if number < len(marks) else []
        keys = tuple(start + step for step in accumulate(steps[:-1], initial=0)) if steps else ()
        segments.append(Segment(size, start, duration, keys))
    uris = [f"{track.folder}/{segment_name(track.kind, number)}" for number in range(len(track.sizes))]
    return WrittenTrack(track.playlist, f"{track.folder}/{INIT_SEGMENT}", track.init_segment, uris, segments)


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

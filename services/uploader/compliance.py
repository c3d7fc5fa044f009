"""The check of every job before it is completed: on what is known already, without reading a segment again. Pure."""

from collections.abc import Mapping
from itertools import accumulate

from checker.finding import Rule
from checker.rules import RULES, Report
from checker.segments import KeyFrame, Segment
from checker.subset import WrittenTrack, check_written
from services.uploader.manifest.presentation import Presentation, Rendition, VideoRendition, init_segments_of
from shared.media.layout import INIT_SEGMENT, MULTIVARIANT, segment_name
from shared.media.result import Compliance, JobWarning, Violation

_MOST_PLACES = 3
"""Places told for each rule: the log keeps this for ever, and the same rule is mostly violated everywhere or nowhere."""


def check_compliance(presentation: Presentation, documents: Mapping[str, bytes]) -> Compliance:
    """Hold the documents (by path below the output prefix) against the rules and against what was made."""
    return compliance_of(check_presentation(presentation, documents))


def check_presentation(
    presentation: Presentation, documents: Mapping[str, bytes], rules: tuple[Rule, ...] = RULES
) -> Report:
    """The checker's report on a presentation that is about to be published.

    Args:
        documents: by path below the output prefix: playlists, the multivariant one among them, manifest, and sheet and cues
            for the seek bar where there are any.
    """
    written = [_written(track) for track in (*presentation.video, *presentation.audio)]
    objects = {path: size for track in presentation.all_renditions for path, size in track.objects().items()}
    return check_written(MULTIVARIANT, documents, written, objects, rules)


def _written(track: Rendition) -> WrittenTrack:
    starts = accumulate(track.durations, initial=0)
    marks = track.iframes if isinstance(track, VideoRendition) else ()
    segments = []
    for number, (size, start, duration) in enumerate(zip(track.sizes, starts, track.durations, strict=False)):
        frames = marks[number] if number < len(marks) else ()
        times = accumulate((ticks for _, _, ticks in frames), initial=start)
        keys = tuple(KeyFrame(time, offset, length) for time, (offset, length, _) in zip(times, frames, strict=False))
        # Packets of audio are decoded in the order in which they are heard.
        shown = start if track.kind == "audio" else None
        segments.append(Segment(size, start, duration, keys, shown))
    uris = [f"{track.folder}/{segment_name(track.kind, number)}" for number in range(len(track.sizes))]
    path = f"{track.folder}/{INIT_SEGMENT}"
    beside = {one: body for one, body in init_segments_of(track).items() if one != path}
    return WrittenTrack(track.playlist, path, track.init_segment, uris, segments, beside)


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
    """The warning for a presentation that violates a MUST: it is all there, but a player may stumble."""
    broken = dict.fromkeys(one.rule for one in compliance.violations if one.severity == "must")
    if not broken:
        return ()
    message = f"The output violates rules for HLS and DASH ({', '.join(broken)}); see outputs.compliance."
    return (JobWarning(code="not_compliant", message=message),)

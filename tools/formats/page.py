"""docs/formats.md out of what became of the samples. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tools.formats.samples import Sample

_INTRODUCTION = """\
<!-- Made by `make formats`, from a run. Change tools/formats there. -->

# What goes in, and what comes out

`make formats` makes a small file of each kind, sends it through a stack of its own at `144p`, and writes this page from what
came back. So a row is what happened, not what is meant to. Out come H.264 (High, 8 bits, 4:2:0, BT.709, square samples,
progressive, constant rate) and AAC-LC stereo at 48 kHz, in CMAF segments for HLS and DASH.

*Warnings* are the codes in the job's `warnings`; the codes of those that are refused are in [errors.md](errors.md).
"""
_ACCEPTED = "| What | Comes out as | Sound | Text | Warnings |\n|---|---|---|---|---|"
_REFUSED = "| What | Code | Message |\n|---|---|---|"


@dataclass(frozen=True)
class Outcome:
    """A sample and the job that it became, as GET shows it; None where this build of ffmpeg cannot make the sample."""

    sample: Sample
    job: dict[str, Any] | None


def page(outcomes: Sequence[Outcome], rules: Iterable[tuple[str, str]]) -> str:
    """The page.

    Args:
        outcomes: in the order of the samples.
        rules: name and sentence of everything that may happen to a picture.
    """
    parts = [_INTRODUCTION]
    for group, members in groupby(outcomes, key=lambda outcome: outcome.sample.group):
        rows = [_row(outcome) for outcome in members if outcome.job]
        parts.append("\n".join([f"## {group}", "", _REFUSED if group == "Refused" else _ACCEPTED, *rows, ""]))
    table = [f"| {name} | {sentence} |" for name, sentence in rules]
    parts.append("\n".join(["## What happens to a picture", "", "| Rule | |", "|---|---|", *table, ""]))
    return "\n".join(parts)


def _row(outcome: Outcome) -> str:
    job = outcome.job or {}
    outputs = job["outputs"]
    if outputs is None:
        return f"| {outcome.sample.what} | `{job['error_code']}` | {job['error_message']} |"
    video = outputs["renditions"][-1] if outputs["renditions"] else None
    picture = f"{video['width']}×{video['height']}, {video['frame_rate']:g} fps" if video else "no picture"
    sound = ", ".join(track["language"] or "stereo" for track in outputs["audio"]) or "none"
    text = ", ".join(track["language"] or "WebVTT" for track in outputs.get("subtitles") or ()) or "none"
    warnings = ", ".join(f"`{warning['code']}`" for warning in job["warnings"]) or "none"
    return f"| {outcome.sample.what} | {picture}, {job['video_duration']} s | {sound} | {text} | {warnings} |"

"""Bounds on what a source may bring into an event: tracks, titles, warnings. Pure.

Events travel in messages of a bounded size, whatever a file claims to hold.
"""

from collections.abc import Sequence
from typing import TypeVar

from shared.media.result import JobWarning
from shared.media.source import AudioTrack, Source, TextTrack

T = TypeVar("T", AudioTrack, TextTrack)

MOST_AUDIO_TRACKS = 60
MOST_TEXT_TRACKS = 60
LONGEST_TITLE = 120
"""Characters of a track's title."""

MOST_WARNINGS = 40


def bounded(source: Source) -> tuple[Source, tuple[JobWarning, ...]]:
    """A source with as many tracks as a job carries, and a warning for each kind of which some were left out."""
    change = {
        "audio": tuple(_titled(track) for track in source.audio[:MOST_AUDIO_TRACKS]),
        "text": tuple(_titled(track) for track in source.text[:MOST_TEXT_TRACKS]),
    }
    warnings = [
        *_left_out("sound_dropped", "audio", source.audio, MOST_AUDIO_TRACKS),
        *_left_out("subtitles_dropped", "subtitle", source.text, MOST_TEXT_TRACKS),
    ]
    return source.model_copy(update=change), tuple(warnings)


def bounded_warnings(warnings: Sequence[JobWarning]) -> tuple[JobWarning, ...]:
    """The warnings once each; of very many, the first ones and how many there are besides."""
    distinct = list(dict.fromkeys(warnings))
    if len(distinct) <= MOST_WARNINGS:
        return tuple(distinct)
    kept = distinct[: MOST_WARNINGS - 1]
    message = f"There are {len(distinct) - len(kept)} more warnings like these about the source."
    return (*kept, JobWarning(code=distinct[-1].code, message=message))


def _titled(track: T) -> T:
    return track.model_copy(update={"title": track.title[:LONGEST_TITLE]}) if track.title else track


def _left_out(code: str, kind: str, tracks: Sequence[object], most: int) -> list[JobWarning]:
    if len(tracks) <= most:
        return []
    message = f"The source has {len(tracks)} {kind} tracks; those after the first {most} were left out."
    return [JobWarning(code=code, message=message)]

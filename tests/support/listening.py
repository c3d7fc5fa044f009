"""Listens to a stream in a player, on the clock of the media."""

from array import array
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import quantiles

from tests.support.player import Player, play
from tests.support.sound import RATE

_SHORTEST_HOLE = RATE // 1000


@dataclass(frozen=True)
class Heard:
    """What came out of a player.

    Attributes:
        samples: one after the other as the media has them. begins: seconds on the clock of the media of the first one.
    """

    samples: "array[float]"
    begins: float = 0.0

    def after(self, seconds: float, length: float) -> "array[float]":
        """So many seconds of it from an instant of the media on, to the sample."""
        first = round((seconds - self.begins) * RATE)
        return self.samples[first : first + round(length * RATE)]

    def onsets(self, level: float, apart: float) -> list[float]:
        """Instants of the media at which it becomes as loud as ``level`` after so many seconds of less."""
        loud = [place for place, sample in enumerate(self.samples) if abs(sample) >= level]
        gaps = zip([-2 * apart * RATE, *loud], loud, strict=False)
        return [self.begins + place / RATE for before, place in gaps if place - before > apart * RATE]


async def listen(kind: Player, url: str, folder: Path) -> Heard:
    """Play a stream that is never quite silent at its own speed, and record it.

    The sound is taken as samples and the time of the media is read beside it, so no measure depends on when anything was
    done. Where the machine does not keep up there are holes of nothing at all in the recording, for which the clock of the
    media stands still; they are taken out.
    """
    file = folder / "sound.f32"
    report = await play(kind, url, folder / "heard.png", speed=1, sound=file)
    assert report["ended"] and report["fatal"] is None, report
    recorded = array("f", file.read_bytes())
    first = next(place for place, sample in enumerate(recorded) if sample)
    samples, holes = _without_holes(recorded[first:])
    begun = report["sound_start"] + first / RATE
    ahead = [media - _played(context - begun, holes) for context, media in report["clock"]]
    # A reading is late by up to what a sound device takes at a time, and not early.
    return Heard(samples, quantiles(ahead, n=20)[-1])


def _without_holes(recorded: "array[float]") -> tuple["array[float]", list[tuple[float, float]]]:
    """The samples outside of holes, and start and length of each hole in seconds."""
    samples, holes, place = array("f"), list[tuple[float, float]](), 0
    for silent, run in groupby(recorded, lambda sample: sample == 0):
        found = array("f", run)
        if silent and len(found) >= _SHORTEST_HOLE:
            holes.append((place / RATE, len(found) / RATE))
        else:
            samples += found
        place += len(found)
    return samples, holes


def _played(seconds: float, holes: list[tuple[float, float]]) -> float:
    """How much of the media was played so many seconds after its first sample."""
    return seconds - sum(min(length, seconds - start) for start, length in holes if start < seconds)

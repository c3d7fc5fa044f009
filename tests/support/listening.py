"""Listens to a stream in a player, on the clock of the media."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import quantiles

from tests.support.player import Player, play
from tests.support.sound import RATE

# Where the machine does not keep up there are holes in the sound, and at its beginning nothing could be told of the stream.
_TRIES = 6
_BEGINNING, _LONGEST_HOLE = RATE // 20, RATE // 1000
_READINGS_SECONDS = 0.5


@dataclass(frozen=True)
class Heard:
    """What came out of a player.

    Attributes:
        samples: from the first one that was heard on.
        clock: seconds from the first sample on, and the instant of the media that was read then.
    """

    samples: "array[float]"
    clock: Sequence[tuple[float, float]] = ((0.0, 0.0),)

    def after(self, seconds: float, length: float) -> "array[float]":
        """So many seconds of the beginning, from an instant of the media on, to the sample."""
        first = round((seconds - self._ahead(0)) * RATE)
        return self.samples[first : first + round(length * RATE)]

    def onsets(self, level: float, apart: float) -> list[float]:
        """Instants of the media at which it becomes as loud as ``level`` after so many seconds of less."""
        loud = [place for place, sample in enumerate(self.samples) if abs(sample) >= level]
        gaps = zip([-2 * apart * RATE, *loud], loud, strict=False)
        begun = [place / RATE for before, place in gaps if place - before > apart * RATE]
        return [seconds + self._ahead(seconds) for seconds in begun]

    def _ahead(self, seconds: float) -> float:
        """By how much the media's clock is ahead of the recording's.

        A player's time is worked out from the samples that it has played, and stands still where the machine does not keep
        up; a reading is late by up to what a sound device takes at a time, and never early. So it is the latest ones of
        some that count, and those after the instant alone.
        """
        soon = [media - at for at, media in self.clock if seconds <= at < seconds + _READINGS_SECONDS]
        return quantiles(soon, n=10)[-1] if len(soon) > 1 else self.clock[-1][1] - self.clock[-1][0]


async def listen(kind: Player, url: str, folder: Path) -> Heard:
    """Play a stream at its own speed and record it, once more where the machine did not keep up in the beginning.

    The sound is taken as samples and the time of the media is read beside it, so no measure depends on when it was taken.
    """
    for attempt in range(_TRIES):
        file = folder / f"sound{attempt}.f32"
        report = await play(kind, url, folder / "heard.png", speed=1, sound=file)
        assert report["ended"] and report["fatal"] is None, report
        recorded = array("f", file.read_bytes())
        first = next(place for place, sample in enumerate(recorded) if sample)
        if _longest_hole(recorded[first : first + _BEGINNING]) < _LONGEST_HOLE:
            begun = report["sound_start"] + first / RATE
            return Heard(recorded[first:], [(context - begun, media) for context, media in report["clock"]])
    raise AssertionError(f"holes at the beginning in {_TRIES} recordings")


def _longest_hole(sound: "array[float]") -> int:
    """The longest run of nothing at all, which decoded sound has none of."""
    return max((len(list(run)) for silent, run in groupby(sound, lambda sample: sample == 0) if silent), default=0)

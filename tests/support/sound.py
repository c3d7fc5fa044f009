"""Listens to a file as a player would: its samples, how loud it is, and how much of a tone is in it."""

import subprocess
from array import array
from math import cos, log10, pi, sqrt
from pathlib import Path

from shared.media.tools import ffmpeg_path

RATE = 48_000


def samples(path: Path, track: int = 0) -> tuple["array[float]", "array[float]"]:
    """Left and right of a track, by the time stamps of its packets; full scale is 1, and what is louder is kept."""
    graph = f"aresample={RATE}:async=1:first_pts=0,aformat=sample_fmts=flt:channel_layouts=stereo"
    argv = [ffmpeg_path(), "-v", "error", "-i", str(path), "-map", f"0:a:{track}", "-af", graph, "-f", "f32le", "-"]
    both = array("f", subprocess.run(argv, capture_output=True, check=True).stdout)
    return both[0::2], both[1::2]


def tone(sound: "array[float]", hertz: float) -> float:
    """Amplitude of a tone in a stretch of sound (Goertzel's algorithm)."""
    factor, before, last = 2 * cos(2 * pi * hertz / RATE), 0.0, 0.0
    for sample in sound:
        before, last = last, sample + factor * last - before
    power = before * before + last * last - factor * before * last
    return 2 * sqrt(max(power, 0.0)) / len(sound)


def peak(sound: "array[float]") -> float:
    """The largest sample."""
    return max(abs(sample) for sample in sound)


def loudness(sound: "array[float]") -> float:
    """Root of the mean square."""
    return sqrt(sum(sample * sample for sample in sound) / len(sound))


def decibels(ratio: float) -> float:
    """A ratio of amplitudes in dB, never less than -120."""
    return 20 * log10(max(ratio, 1e-6))


def impure(sound: "array[float]", hertz: float) -> tuple[int, int]:
    """Of the windows of 20 ms in a tone, how many hold something else as well, and how many are silent."""
    length, other, silent = RATE // 50, 0, 0
    for start in range(0, len(sound) - length + 1, length):
        window = sound[start : start + length]
        power = loudness(window) ** 2
        if power < 1e-5:
            silent += 1
        elif tone(window, hertz) ** 2 / 2 < 0.998 * power:
            other += 1
    return other, silent

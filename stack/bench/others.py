"""What Millrace is compared with, as command lines."""

from pathlib import Path

from stack import clips
from stack.bench import baseline
from stack.bench.ways import Commands, Scene


def _baseline(scene: Scene, folder: Path) -> list[list[list[str]]]:
    rungs = baseline.ladder(scene.resolutions, scene.facts)
    return [[clips.ffmpeg(baseline.command(scene.clip, folder, scene.facts, rungs))]]


BASELINE = Commands("baseline", "plain ffmpeg + upload", _baseline)

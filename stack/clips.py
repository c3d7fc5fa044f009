"""Clips for the demo and the benchmark, made by ffmpeg so that nothing has to be downloaded."""

import json
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from shared.media.tools import ffmpeg_path, ffprobe_path
from stack.layout import StackError

SIZE, RATE = "1920x1080", 30


@dataclass(frozen=True)
class Clip:
    """A clip that ffmpeg can make.

    Attributes:
        inputs: lavfi sources, the sound last.
        graph: turns the pictures into ``[v]``.
    """

    name: str
    seconds: int
    inputs: tuple[str, ...]
    graph: str


_AUDIO = "sine=frequency=440:beep_factor=4:sample_rate=48000"
_CHART = f"testsrc2=size={SIZE}:rate={RATE}"

DEMO = Clip("demo-20s-1080p.mp4", 20, (_CHART, _AUDIO), "[0:v]format=yuv420p[v]")
# A chart alone is easy on an encoder: the fractal brings fine detail that moves, the noise what no prediction removes.
BENCH = Clip(
    "bench-60s-1080p.mp4",
    60,
    (_CHART, f"mandelbrot=size=640x360:rate={RATE}:maxiter=150:end_scale=0.0005:end_pts=1800", _AUDIO),
    "[0:v]format=yuv420p[chart];[1:v]format=yuv420p[fractal];"
    "[chart][fractal]overlay=x='640+500*sin(t/2)':y=600,noise=c0s=2:c0f=t[v]",
)


def make(clip: Clip, folder: Path) -> Path:
    """The clip as a file in the folder, made if it is not there yet.

    Raises:
        StackError: ffmpeg could not make it.
    """
    path = folder / clip.name
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.mp4")
    run_ffmpeg(command(clip, partial))
    partial.replace(path)
    return path


def command(clip: Clip, path: Path) -> list[str]:
    """The ffmpeg arguments that make the clip."""
    inputs = [part for source in clip.inputs for part in ("-f", "lavfi", "-i", source)]
    sound = f"{len(clip.inputs) - 1}:a"
    picture = ["-c:v", "libx264", "-preset", "superfast", "-crf", "20", "-maxrate", "16M", "-bufsize", "32M"]
    return [
        *("-y", *inputs, "-filter_complex", clip.graph, "-map", "[v]", "-map", sound, "-t", str(clip.seconds)),
        *(*picture, "-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", str(path)),
    ]


def run_ffmpeg(arguments: list[str]) -> None:
    """Run ffmpeg to its end.

    Raises:
        StackError: it failed; with what it said.
    """
    run_command(ffmpeg(arguments))


def ffmpeg(arguments: list[str]) -> list[str]:
    """The command line of an ffmpeg that says nothing but errors."""
    return [ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "error", *arguments]


def run_command(argv: list[str], *, cwd: Path | None = None) -> None:
    """Run a program to its end.

    Raises:
        StackError: it failed; with what it said.
    """
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode != 0:
        raise StackError(f"{Path(argv[0]).name} failed:\n{(done.stderr or done.stdout)[-2000:]}")


@dataclass(frozen=True)
class Facts:
    """What the benchmark has to know of a clip: seconds, size as it is shown, frames per second, whether it sounds."""

    duration: float
    width: int
    height: int
    frame_rate: float
    has_audio: bool

    @property
    def short_side(self) -> int:
        """Pixels of the short side, by which renditions are named."""
        return min(self.width, self.height)


def probe(path: Path) -> Facts:
    """The facts of a clip.

    Raises:
        StackError: it is no video.
    """
    argv = [ffprobe_path(), "-v", "error", "-of", "json", "-show_format", "-show_streams", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)
        streams = {stream["codec_type"]: stream for stream in reversed(found["streams"])}
        video = streams["video"]
        rate = float(Fraction(video["avg_frame_rate"]))
        width, height = video["width"], video["height"]
        turned = sum(int(beside.get("rotation", 0)) for beside in video.get("side_data_list", ()))
        if turned % 180:
            width, height = height, width
        return Facts(float(found["format"]["duration"]), width, height, rate, "audio" in streams)
    except (ValueError, KeyError, ZeroDivisionError):
        raise StackError(f"{path} is no video that ffprobe knows: {done.stderr.strip()}") from None

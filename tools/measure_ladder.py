"""Measures the encoding profiles on a clip: rates, quality and cost of every rung, as a Markdown table.

    python -m tools.measure_ladder film.mp4 --start 30 --seconds 18

The command lines are the transcoder's own, one rung at a time. Quality is VMAF (ffmpeg's libvmaf) of what a viewer sees
who watches the rung at the source's size, scaled up with bicubic. docs/ladder.md holds a run and what followed from it.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.fetcher.plan.plan import make_plan
from services.fetcher.probe.probe import Probe, Probed, ProbeLimits
from services.transcoder.command import Tools, video_command, video_graph
from services.transcoder.packaging import video_segments
from shared.media.plan import Plan, Rung
from shared.media.profile import PROFILE_NAMES, RESOLUTIONS, load_profile, short_side
from shared.media.tools import ffmpeg_path, ffprobe_path
from shared.workspace.space import SourceInput
from stack.clips import BENCH, make

_LIMITS = ProbeLimits(seconds=600, memory_bytes=16 * 2**30, max_duration=24 * 3600, max_pixels=2**26)
_COLUMNS = (
    "profile",
    "rung",
    "preset",
    "crf",
    "cap",
    "average",
    "peak",
    "peak / average",
    "VMAF",
    "1 % low",
    "CPU s/s",
)


@dataclass(frozen=True)
class Measured:
    """One rung of one profile. Rates are kilobits per second; ``cpu`` is seconds of processor time for one second of video.

    ``low`` is the VMAF that one frame in a hundred stays below; ``peak`` is the rate of the largest segment.
    """

    profile: str
    preset: str
    rung: Rung
    average: float
    peak: float
    vmaf: float
    low: float
    cpu: float

    def cells(self) -> tuple[str, ...]:
        """The row of the table."""
        return (
            self.profile,
            self.rung.resolution,
            self.preset,
            f"{self.rung.crf:g}",
            f"{self.rung.max_rate / 1000:.0f}",
            f"{self.average:.0f}",
            f"{self.peak:.0f}",
            f"{self.peak / self.average:.2f}",
            f"{self.vmaf:.1f}",
            f"{self.low:.1f}",
            f"{self.cpu:.2f}",
        )


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    wanted = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="millrace-ladder-") as folder:
        file = Path(wanted.clip) if wanted.clip else make(BENCH, Path(folder))
        clip = cut(file, Path(folder), wanted.start, wanted.seconds)
        print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * 3}{'---:|' * (len(_COLUMNS) - 3)}", flush=True)
        for profile in wanted.profiles.split(","):
            for row in measure(clip, profile, wanted.resolutions.split(","), every=wanted.every):
                print(f"| {' | '.join(row.cells())} |", flush=True)


def cut(file: Path, folder: Path, start: float, seconds: float) -> Path:
    """A piece of a clip without its sound, copied and not encoded; it begins with a key frame."""
    piece = folder / "piece.mkv"
    _run("-ss", str(start), "-i", str(file), "-t", str(seconds), "-map", "0:v:0", "-c", "copy", str(piece))
    return piece


def measure(clip: Path, profile: str, resolutions: Sequence[str], *, every: int) -> Iterator[Measured]:
    """Every rung that the clip gets of a profile, the largest one first.

    Args:
        every: compare one frame in so many.
    """
    probed = asyncio.run(Probe(ffprobe_path(), ffmpeg_path(), _LIMITS)(clip))
    video = probed.source.video
    fitting = [name for name in resolutions if short_side(name) <= min(video.width, video.height)]
    for resolution in sorted(fitting, key=short_side, reverse=True):
        whole = probed.source.model_copy(update={"cuttable": False})
        plan, _ = make_plan(whole, probed.index, [resolution], profile, window=1)
        yield _measure_rung(clip, probed, plan, profile, every)


def _measure_rung(clip: Path, probed: Probed, plan: Plan, profile: str, every: int) -> Measured:
    [rung], [part] = plan.rungs, plan.video
    with tempfile.TemporaryDirectory(prefix="millrace-rung-") as name:
        folder = Path(name)
        used = _processor_seconds()
        argv = video_command(Tools(ffmpeg_path()), probed.source, SourceInput(str(clip)), plan, part, folder)
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cpu = (_processor_seconds() - used) / float(plan.duration)
        made = folder / f"{rung.name}.mp4"
        track = video_segments(made, folder, plan, part, rung)
        scores = sorted(_vmaf(clip, made, probed, plan, folder, every))
        rates = [
            size * 8 / ticks * plan.timescale / 1000 for size, ticks in zip(track.sizes, track.durations, strict=True)
        ]
        # A short rest says nothing of the rate: its key frame weighs too much.
        full = [rate for rate, ticks in zip(rates, track.durations, strict=True) if ticks == max(track.durations)]
        return Measured(
            profile=profile,
            preset=load_profile(profile).preset,
            rung=rung,
            average=sum(track.sizes) * 8 / float(plan.duration) / 1000,
            peak=max(full),
            vmaf=sum(scores) / len(scores),
            low=scores[len(scores) // 100],
            cpu=cpu,
        )


def _vmaf(clip: Path, made: Path, probed: Probed, plan: Plan, folder: Path, every: int) -> list[float]:
    """Scores of the frames compared. The reference is what the plan's own filters make of the source, in its own size."""
    [part] = plan.video
    video, log = probed.source.video, folder / "vmaf.json"
    size = f"{video.width}:{video.height}"
    plain = plan.model_copy(update={"rungs": ()})
    graph = (
        f"{video_graph(probed.source, plain, part)},scale={size}:flags=bicubic,settb=1/1000,setpts=N*100[reference];"
        f"[1:v]scale={size}:flags=bicubic,settb=1/1000,setpts=N*100[made];"
        f"[made][reference]libvmaf=n_threads=2:n_subsample={every}:log_fmt=json:log_path={log}"
    )
    _run("-copyts", "-noautorotate", "-i", str(clip), "-i", str(made), "-filter_complex", graph, "-f", "null", "-")
    return [frame["metrics"]["vmaf"] for frame in json.loads(log.read_text())["frames"]]


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(*arguments: str) -> None:
    subprocess.run([ffmpeg_path(), "-hide_banner", "-nostdin", "-v", "error", "-y", *arguments], check=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.measure_ladder", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("clip", nargs="?", default="", help="a film; by default one that is made")
    parser.add_argument("--start", type=float, default=0, help="seconds into the clip")
    parser.add_argument("--seconds", type=float, default=18, help="how much of it to measure")
    parser.add_argument("--profiles", default=",".join(PROFILE_NAMES), help="comma separated")
    parser.add_argument("--resolutions", default=",".join(RESOLUTIONS), help="comma separated")
    parser.add_argument("--every", type=int, default=3, help="compare one frame in so many")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])

"""Measures what the cage costs: a start, a probe, an encode and stills, with and without it, as a Markdown table.

    python -m tools.measure_cage --rounds 15

Each round does every work once in the cage and once outside of it, the other way round every second time, so that whatever else
the machine does falls on both alike. The ratios are medians of the rounds' own. Outside, limits and a network namespace are left,
as with ``MILLRACE_CAGE=off``. Time of processors tells more than wall time where the machine is not idle; that of this process,
which makes rules and filter ready, is counted with that of its children.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from services.fetcher.plan.plan import make_plan
from services.fetcher.probe.probe import Probe, Probed, ProbeLimits
from services.transcoder import stills
from services.transcoder.command import Tools, video_command
from shared.cage.cage import Cage, Touches, detect, use
from shared.cage.trial import tried
from shared.media.plan import Plan
from shared.media.profile import PROFILE_NAMES
from shared.media.tools import ffmpeg_path, ffprobe_path
from shared.process import ProcessLimits, run_process
from shared.workspace.space import SourceInput

_LIMITS = ProbeLimits(seconds=600, memory_bytes=16 * 2**30, max_duration=24 * 3600, max_pixels=2**26)
_SECONDS = 600.0
# How often the clip is shown in the longer film.
_REPEATED = 200
_COLUMNS = (
    "work",
    "wall, caged (s)",
    "wall, free (s)",
    "wall ratio",
    "processors, caged (s)",
    "processors, free (s)",
    "ratio",
)

Work = Callable[[], Awaitable[object]]


@dataclass
class Measured:
    """Seconds of a work, a pair of caged and free for each round."""

    wall: list[tuple[float, float]] = field(default_factory=list)
    processors: list[tuple[float, float]] = field(default_factory=list)

    def cells(self) -> list[str]:
        """The numbers of a row of the table."""
        found: list[str] = []
        for pairs in (self.wall, self.processors):
            found += [f"{median(pair[side] for pair in pairs):.3f}" for side in (0, 1)]
            found.append(f"{median(caged / free for caged, free in pairs):.3f}")
        return found


async def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    wanted = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="millrace-cage-") as name:
        folder = Path(name)
        caged = await asyncio.to_thread(tried, detect(), folder)
        free = Cage("off", frozenset())
        print(f"walls: {', '.join(sorted(caged.walls))}; missing: {', '.join(sorted(caged.missing)) or 'none'}\n")
        works = await _works(folder, wanted.seconds)
        found = {work: Measured() for work in works}
        for number in range(wanted.rounds + 1):
            order = (caged, free) if number % 2 else (free, caged)
            for work, doing in works.items():
                taken = {cage.mode: await _measured(doing, cage) for cage in order}
                # The first round warms up.
                if number:
                    found[work].wall.append((taken["on"][0], taken["off"][0]))
                    found[work].processors.append((taken["on"][1], taken["off"][1]))
    print(f"| {' | '.join(_COLUMNS)} |\n|---|{'---:|' * (len(_COLUMNS) - 1)}")
    for work, measured in found.items():
        print(f"| {work} | {' | '.join(measured.cells())} |")


async def _works(folder: Path, seconds: float) -> dict[str, Work]:
    clip, film = await _clip(folder, seconds), folder / "film.mp4"
    argv = [ffmpeg_path(), "-v", "error", "-stream_loop", str(_REPEATED - 1), "-i", str(clip), "-c", "copy", str(film)]
    await _run(argv, Touches((clip,), (folder,)))
    probe = Probe(ffprobe_path(), ffmpeg_path(), _LIMITS)
    probed = await probe(clip)

    def encode(resolutions: list[str], *, with_stills: bool) -> Work:
        whole = probed.source.model_copy(update={"cuttable": False})
        plan, _ = make_plan(whole, probed.index, resolutions, PROFILE_NAMES[0], window=1)
        return lambda: _encode(
            clip, probed, plan if with_stills else plan.model_copy(update={"stills": None}), folder / "made"
        )

    return {
        "a start (`ffmpeg -version`)": lambda: _run([ffmpeg_path(), "-version"], Touches()),
        f"a probe of {seconds:g} s": lambda: probe(clip),
        f"a probe of {seconds * _REPEATED / 60:g} min": lambda: probe(film),
        f"an encode of {seconds:g} s at 480p and 240p": encode(["480p", "240p"], with_stills=False),
        "the same with stills": encode(["480p", "240p"], with_stills=True),
    }


async def _encode(clip: Path, probed: Probed, plan: Plan, folder: Path) -> None:
    [part] = plan.video
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    await asyncio.to_thread(stills.prepare, plan, part, folder)
    opened = SourceInput.of(clip)
    argv = video_command(Tools(ffmpeg_path()), probed.source, opened, plan, part, folder)
    await _run(argv, Touches(opened.reads, (folder,)))


async def _run(argv: list[str], touches: Touches) -> None:
    finished = await run_process(argv, limits=ProcessLimits(seconds=_SECONDS), touches=touches)
    if finished.status:
        raise RuntimeError(f"{argv[0]} ended with status {finished.status}: {finished.error_tail}")


async def _measured(doing: Work, cage: Cage) -> tuple[float, float]:
    """Wall time, and time of processors with that of children."""
    use(cage)
    begun, used = time.monotonic(), _processor_seconds()
    await doing()
    return time.monotonic() - begun, _processor_seconds() - used


async def _clip(folder: Path, seconds: float) -> Path:
    clip = folder / "clip.mp4"
    picture = f"testsrc2=size=1280x720:rate=30:duration={seconds},noise=c0s=2:c0f=t"
    argv = [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", f"sine=duration={seconds}"]
    await _run([*argv, "-pix_fmt", "yuv420p", "-preset", "veryfast", str(clip)], Touches((), (folder,)))
    return clip


def _processor_seconds() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.measure_cage", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--rounds", type=int, default=15, help="how often each work is done in each way")
    parser.add_argument("--seconds", type=float, default=6, help="of film that are encoded")
    return parser


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

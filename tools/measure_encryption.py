"""Measures what encryption costs beside the encode that it follows, as a Markdown table.

    python -m tools.measure_encryption film.mp4 --seconds 18 --rounds 3

A clip is encoded as the transcoder does it, cut into segments as they are and into segments laid out for encryption by turns, and
these are encrypted as the uploader does it. All times are processor time, so that other work on the machine counts for nothing;
what comes out is the median of the rounds.
"""

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from services.fetcher.plan.plan import make_plan
from services.fetcher.probe.probe import Probe, Probed, ProbeLimits
from services.transcoder.command import Tools, video_command
from services.transcoder.packaging import video_segments
from shared.encryption.cbcs import encrypt_segment
from shared.encryption.keys import ContentKey
from shared.encryption.whole import encrypt_whole
from shared.media.plan import Plan
from shared.media.profile import PROFILE_NAMES, RESOLUTIONS, short_side
from shared.media.result import Layout
from shared.media.tools import ffmpeg_path, ffprobe_path
from shared.workspace.space import SourceInput
from stack.clips import BENCH, make
from tools.measure_ladder import cut

_LIMITS = ProbeLimits(seconds=600, memory_bytes=16 * 2**30, max_duration=24 * 3600, max_pixels=2**26)

_CUTS = 5


@dataclass(frozen=True)
class Round:
    """Seconds of processor time that each step took for all renditions, over so many bytes and frames."""

    encode: float
    clear: float
    layout: float
    encrypt: float
    whole: float
    size: int
    frames: int

    @property
    def shares(self) -> tuple[float, float]:
        """What layout and encryption by ``cbcs`` are of the encode, and encryption of whole segments."""
        return (self.layout - self.clear + self.encrypt) / self.encode, self.whole / self.encode


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    wanted = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="millrace-encryption-") as name:
        file = Path(wanted.clip) if wanted.clip else make(BENCH, Path(name))
        clip = cut(file, Path(name), wanted.start, wanted.seconds)
        probed = asyncio.run(Probe(ffprobe_path(), ffmpeg_path(), _LIMITS)(clip))
        print("| profile | step | CPU s | frames/s | MB/s | of the encode |\n|---|---|---:|---:|---:|---:|", flush=True)
        for profile in wanted.profiles.split(","):
            plan = _plan(probed, wanted.resolutions.split(","), profile)
            rounds = [_measured(clip, probed, plan) for _ in range(wanted.rounds)]
            print("\n".join(_rows(profile, rounds)), flush=True)


def _plan(probed: Probed, resolutions: Sequence[str], profile: str) -> Plan:
    """All of the clip as one part, at the renditions that it is large enough for."""
    video = probed.source.video
    fitting = [name for name in resolutions if short_side(name) <= min(video.width, video.height)]
    whole = probed.source.model_copy(update={"cuttable": False})
    plan, _ = make_plan(whole, probed.index, fitting, profile, window=1)
    # The thumbnails would count as a part of the encode.
    return plan.model_copy(update={"stills": None})


def _measured(clip: Path, probed: Probed, plan: Plan) -> Round:
    [part], key = plan.video, ContentKey(tracks="all", kid=os.urandom(16), iv=os.urandom(16), key=os.urandom(16))
    with tempfile.TemporaryDirectory(prefix="millrace-round-") as name:
        folder = Path(name)
        argv = video_command(Tools(ffmpeg_path()), probed.source, SourceInput(str(clip)), plan, part, folder)
        before = _of_children()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        encode = _of_children() - before

        def package(layout: Layout) -> None:
            target = folder / layout
            target.mkdir(exist_ok=True)
            for rung in plan.rungs:
                video_segments(folder / f"{rung.name}.mp4", target, plan, part, rung, layout)

        def encrypt(by: Callable[[bytes, ContentKey], bytes]) -> None:
            for segment in segments:
                by(segment, key)

        # By turns, and more often than once: the difference is small, and the first one finds nothing in memory.
        cuts = [(_taken(lambda: package("clear")), _taken(lambda: package("cbcs"))) for _ in range(_CUTS)]
        clear, layout = (median(seconds) for seconds in zip(*cuts, strict=True))
        segments = [path.read_bytes() for path in sorted((folder / "cbcs").rglob("*.m4s"))]
        return Round(
            encode=encode,
            clear=clear,
            layout=layout,
            encrypt=_taken(lambda: encrypt(encrypt_segment)),
            whole=_taken(lambda: encrypt(encrypt_whole)),
            size=sum(map(len, segments)),
            frames=part.frames * len(plan.rungs),
        )


def _rows(profile: str, rounds: Sequence[Round]) -> list[str]:
    encode = median(each.encode for each in rounds)
    steps = {
        "encode": encode,
        "cut into segments": median(each.clear for each in rounds),
        "lay out": median(each.layout - each.clear for each in rounds),
        "encrypt by `cbcs`": median(each.encrypt for each in rounds),
        "encrypt by AES-128": median(each.whole for each in rounds),
    }
    size, frames = rounds[0].size, rounds[0].frames
    rows = [
        f"| {profile} | {step} | {seconds:.3f} | {frames / seconds:,.0f} | {size / 1e6 / seconds:,.1f} | {seconds / encode:.2%} |"
        for step, seconds in steps.items()
    ]
    cbcs, whole = (median(shares) for shares in zip(*(each.shares for each in rounds), strict=True))
    return [*rows, f"| {profile} | all of `cbcs`; of AES-128 | | | | {cbcs:.2%}; {whole:.2%} |"]


def _taken(step: Callable[[], None]) -> float:
    before = time.process_time()
    step()
    return time.process_time() - before


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.measure_encryption", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("clip", nargs="?", default="", help="a film; by default one that is made")
    parser.add_argument("--start", type=float, default=0, help="seconds into the clip")
    parser.add_argument("--seconds", type=float, default=18, help="how much of it to measure")
    parser.add_argument("--rounds", type=int, default=3, help="how often")
    parser.add_argument("--profiles", default=",".join(PROFILE_NAMES), help="comma separated")
    parser.add_argument("--resolutions", default=",".join(RESOLUTIONS), help="comma separated")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])

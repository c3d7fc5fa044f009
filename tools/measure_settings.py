"""Compares encoder settings on clips: bits at equal quality by three measures, and processor time, as a Markdown table.

    python -m tools.measure_settings film.mp4 phone.mov --rungs 1080,480 faster 'faster:subme=7:ref=1:analyse=i8x8,i4x4'

Settings are an x264 preset, and after a colon what ``-x264-params`` takes. The first is what the others are held against.
Each is encoded by one thread at several rate factors, with the caps of the profile `balanced`; the pieces are scaled to the
rung before, so only the encoder is measured. The qualities are VMAF, VMAF-NEG (which does not reward sharpening) and XPSNR
of the rung in its own size. Bits at equal quality are the mean distance between two curves of log(bits) over quality, with
straight lines between their points (Bjøntegaard, VCEG-M33, without its polynomial, which three points would not bear).
docs/ladder.md holds a run and what followed from it.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from shared.media.profile import load_profile, short_side
from stack.clips import ffmpeg, run_ffmpeg
from stack.processes import used_by
from stack.quality import MEASURES, score

# What a share of the range of qualities must two curves have in common to be compared.
_COMMON = 0.3


@dataclass(frozen=True)
class Encode:
    """One encode: its bytes, processor seconds, and quality by each measure."""

    size: int
    cpu: float
    quality: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """Settings against the first ones. Differences in per cent; ``bits`` by measure, None where the curves do not meet."""

    bits: Mapping[str, float | None]
    cpu: float
    size_at_same_crf: float
    quality_at_same_crf: Mapping[str, float]


def compare(base: Sequence[Encode], other: Sequence[Encode]) -> Comparison:
    """Hold encodes at the same rate factors, in the same order, against each other."""
    return Comparison(
        bits={name: bits_at_equal_quality(_curve(base, name), _curve(other, name)) for name in MEASURES},
        cpu=100 * (sum(one.cpu for one in other) / sum(one.cpu for one in base) - 1),
        size_at_same_crf=100 * (sum(one.size for one in other) / sum(one.size for one in base) - 1),
        quality_at_same_crf={
            name: fmean(b.quality[name] - a.quality[name] for a, b in zip(base, other, strict=True))
            for name in MEASURES
        },
    )


def bits_at_equal_quality(base: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> float | None:
    """Per cent of bits that the other curve takes more, averaged over the qualities that both reach.

    Args:
        base: pairs of quality and log(bits), rising. other: the same.
    """
    low, high = max(base[0][0], other[0][0]), min(base[-1][0], other[-1][0])
    if high - low < _COMMON * (base[-1][0] - base[0][0]):
        return None
    steps = [low + (high - low) * i / 64 for i in range(65)]
    return 100 * math.expm1(fmean(_at(other, quality) - _at(base, quality) for quality in steps))


def _at(curve: Sequence[tuple[float, float]], quality: float) -> float:
    for (q0, bits0), (q1, bits1) in pairwise(curve):
        if quality <= q1:
            return bits0 + (bits1 - bits0) * (quality - q0) / (q1 - q0) if q1 > q0 else bits0
    return curve[-1][1]


def _curve(encodes: Sequence[Encode], name: str) -> list[tuple[float, float]]:
    return sorted((one.quality[name], math.log(one.size)) for one in encodes)


def encode(piece: Path, settings: str, crf: float, cap: float, folder: Path) -> Encode:
    """Encode a piece by one thread and score the result."""
    preset, _, further = settings.partition(":")
    made = folder / "made.264"
    params = f"keyint=infinite:min-keyint=1:scenecut=0:open-gop=0:{further}".rstrip(":")
    arguments = [
        "-y", "-i", str(piece), "-c:v", "libx264", "-preset", preset, "-threads", "1", "-crf", f"{crf:g}",
        "-maxrate", f"{cap:.0f}k", "-bufsize", f"{cap:.0f}k", "-x264-params", params, "-f", "h264", str(made),
    ]  # fmt: skip
    used = used_by(ffmpeg(arguments))
    return Encode(made.stat().st_size, used.ru_utime + used.ru_stime, score(made, piece, folder, every=3))


def pieces(clip: Path, start: float, seconds: float, sides: Sequence[int], folder: Path) -> Iterator[tuple[int, Path]]:
    """The clip's piece in the size of each rung that it fills, uncompressed."""
    for side in sides:
        file = folder / f"{side}.y4m"
        size = f"scale=w='if(gt(iw,ih),-2,{side})':h='if(gt(iw,ih),{side},-2)':flags=bicubic,format=yuv420p,setsar=1"
        fits = f"select='gte(min(iw,ih),{side})'"
        cut = ["-ss", str(start), "-t", str(seconds), "-i", str(clip)]
        run_ffmpeg(["-y", *cut, "-map", "0:v:0", "-vf", f"{fits},{size}", str(file)])
        if file.stat().st_size > 1000:
            yield side, file
        file.unlink()


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    wanted = _parser().parse_args(arguments)
    base, *others = wanted.settings
    rungs = {short_side(name): rung for name, rung in load_profile("balanced").rungs.items()}
    print("| clip | rung | settings | bits: VMAF | NEG | XPSNR | CPU | same crf: bytes | VMAF | NEG | XPSNR |")
    print("|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for clip in wanted.clips:
        with tempfile.TemporaryDirectory(prefix="millrace-settings-") as name:
            folder = Path(name)
            for side, piece in pieces(Path(clip), wanted.start, wanted.seconds, wanted.rungs, folder):
                rung = rungs[side]
                factors = [rung.crf + step for step in wanted.steps]
                against = [encode(piece, base, crf, rung.max_rate, folder) for crf in factors]
                middle = against[len(against) // 2]
                mean = ", ".join(f"{name} {middle.quality[name]:.1f}" for name in MEASURES)
                print(
                    f"| {Path(clip).name} | {side} | {base} ({mean}) | | | | {middle.cpu:.2f} s | {middle.size} | | | |"
                )
                for settings in others:
                    found = compare(against, [encode(piece, settings, crf, rung.max_rate, folder) for crf in factors])
                    bits = " | ".join(
                        "–" if found.bits[name] is None else f"{found.bits[name]:+.1f}" for name in MEASURES
                    )
                    scores = " | ".join(f"{found.quality_at_same_crf[name]:+.2f}" for name in MEASURES)
                    print(
                        f"| | {side} | {settings} | {bits} | {found.cpu:+.0f} | {found.size_at_same_crf:+.1f} | {scores} |",
                        flush=True,
                    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.measure_settings", description="Compare encoder settings.")
    parser.add_argument("clips", nargs="+", metavar="CLIP")
    parser.add_argument("--settings", nargs="+", required=True, help="the first is what the others are held against")
    parser.add_argument("--start", type=float, default=0, help="seconds into the clips")
    parser.add_argument("--seconds", type=float, default=2, help="how much of each to measure")
    parser.add_argument(
        "--rungs", type=lambda text: [int(one) for one in text.split(",")], default=[1080, 720, 480, 240]
    )
    parser.add_argument("--steps", type=lambda text: [float(one) for one in text.split(",")], default=[-3, 0, 3])
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])

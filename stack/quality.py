"""How near a video is to what it was made from, by three measures of libvmaf and ffmpeg.

VMAF predicts what people say of it (model 0.6.1), VMAF-NEG does the same without a reward for sharpening and contrast, and
XPSNR is a signal-to-noise ratio in decibels, weighted by how well an error is seen at its place (as libavfilter has it).
"""

import json
import re
import subprocess
from pathlib import Path

from shared.media.tools import ffmpeg_path

MEASURES = ("vmaf", "neg", "xpsnr")
_MODELS = r"version=vmaf_v0.6.1\\:name=vmaf|version=vmaf_v0.6.1neg\\:name=neg"
_XPSNR = re.compile(r"XPSNR\s+y: ([\d.inf]+)\s+u: ([\d.inf]+)\s+v: ([\d.inf]+)")
# A name without a folder, since what separates options could stand in that.
_LOG = "vmaf.json"


def score(
    made: Path, reference: Path, folder: Path, *, prepare: tuple[str, str] = ("null", "null"), every: int = 1
) -> dict[str, float]:
    """The mean qualities of a video by :data:`MEASURES`; frames are compared by their number.

    Args:
        folder: a place for a log.
        prepare: filters that each of the two goes through before; after them they must have the same size and format.
        every: let VMAF look at one frame in so many.

    Raises:
        RuntimeError: ffmpeg cannot compare them.
    """
    first, second = (f"{filters},settb=1/1000,setpts=N*100,split" for filters in prepare)
    graph = (
        f"[0:v:0]{first}[a1][a2];[1:v:0]{second}[b1][b2];"
        f"[a1][b1]libvmaf=n_subsample={every}:model={_MODELS}:log_fmt=json:log_path={_LOG}[x];[a2][b2]xpsnr[y]"
    )
    outputs = ("-map", "[x]", "-f", "null", "-", "-map", "[y]", "-f", "null", "-")
    inputs = ("-i", str(made.resolve()), "-i", str(reference.resolve()))
    argv = [
        ffmpeg_path(),
        "-hide_banner",
        "-nostdin",
        "-nostats",
        "-v",
        "info",
        *inputs,
        "-filter_complex",
        graph,
        *outputs,
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=folder)
    found = _XPSNR.search(done.stderr)
    if done.returncode or not found:
        raise RuntimeError(f"ffmpeg did not compare {made} with {reference}:\n{done.stderr[-2000:]}")
    luma, blue, red = map(float, found.groups())
    pooled = json.loads((folder / _LOG).read_text())["pooled_metrics"]
    # XPSNR of a picture with its colours, weighted as ITU-T H-series supplement 2 does PSNR.
    return {
        "vmaf": pooled["vmaf"]["mean"],
        "neg": pooled["neg"]["mean"],
        "xpsnr": (6 * luma + blue + red) / 8,
    }

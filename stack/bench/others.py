"""What Millrace is compared with, as command lines.

All of them make HLS with CMAF segments, with the sound as a track of its own, and upload it afterwards.
"""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from stack import clips
from stack.bench import baseline
from stack.bench.ways import Commands, Scene
from stack.program import installed

Steps = list[list[list[str]]]
"""Command lines that follow each other, each a list of those that run at the same time."""


def _baseline(scene: Scene, folder: Path) -> Steps:
    rungs = baseline.ladder(scene.resolutions, scene.facts)
    return [[clips.ffmpeg(baseline.command(scene.clip, folder, scene.facts, rungs))]]


def _each_alone(scene: Scene, folder: Path) -> Steps:
    """The encodes of the baseline, each by an ffmpeg of its own that decodes the whole clip, all at once."""
    silent = replace(scene.facts, has_audio=False)
    first, *others = baseline.ladder(scene.resolutions, scene.facts)
    facts = {first: scene.facts} | dict.fromkeys(others, silent)
    return [[clips.ffmpeg(baseline.command(scene.clip, folder / rung.name, facts[rung], [rung])) for rung in facts]]


def _shaka(scene: Scene, folder: Path) -> Steps:
    """Shaka Streamer with all its defaults but the resolutions. Its configuration is YAML, of which JSON is a part."""
    kinds = ("video", "audio") if scene.facts.has_audio else ("video",)
    # Its inputs of both kinds are the same file.
    inputs = {"inputs": [{"name": str(scene.clip.resolve()), "media_type": kind} for kind in kinds]}
    pipeline = {"streaming_mode": "vod", "resolutions": list(scene.resolutions), "quiet": True}
    argv = [sys.executable, installed("shaka-streamer"), "-o", str(folder)]
    for option, config in (("-i", inputs), ("-p", pipeline)):
        path = scene.folder / f"shaka{option}.json"
        path.write_text(json.dumps(config))
        argv += [option, str(path)]
    return [[argv]]


@dataclass(frozen=True)
class _Target:
    """An encode with a target rate: pixels of the short side, kilobits per second on average and at most, further options."""

    side: int
    average: int
    most: int
    buffer: int
    options: tuple[str, ...]


# https://github.com/svt/encore, encore-web/src/test/resources/profile/program.yml, in two passes with x264's own preset. Its
# `r: 25` is left out, since all ways keep the frames of the clip, and so is the sound in each rendition.
_ENCORE_PARAMS = (
    "deblock=0,0:aq-mode=1:aq-strength=1.0:b-adapt=2:bframes=6:b-bias=0:b-pyramid=2:chroma-qp-offset=-2:direct=auto:"
    "rc-lookahead=60:keyint=192:keyint_min=96:me=hex:merange=16:cabac=1:partitions=all:ref=4:scenecut=40:subme=9:trellis=2:weightp=2"
)
_ENCORE_SMALLEST_PARAMS = (
    "deblock=0,0:aq-mode=1:aq-strength=1.0:chroma-qp-offset=-2:direct=auto:keyint=192:keyint_min=96:me=hex:merange=16:"
    "cabac=0:8x8dct=0:ref=3:scenecut=40:subme=9:trellis=2"
)
_ENCORE_KEY_FRAMES = 96


def _encore_target(side: int, average: int, most: int, buffer: int, profile: str, level: str) -> _Target:
    params = _ENCORE_SMALLEST_PARAMS if profile == "baseline" else _ENCORE_PARAMS
    keys = ("-force_key_frames", f"expr:not(mod(n,{_ENCORE_KEY_FRAMES}))")
    return _Target(side, average, most, buffer, ("-profile:v", profile, "-level", level, *keys, "-x264-params", params))


_ENCORE = (
    _encore_target(1080, 3100, 4700, 6200, "high", "4.1"),
    _encore_target(720, 2069, 3104, 4138, "main", "3.1"),
    _encore_target(540, 1312, 1968, 2524, "main", "3.1"),
    _encore_target(360, 806, 1209, 1612, "main", "3.1"),
    _encore_target(234, 324, 486, 648, "baseline", "3.1"),
)

# The H.264 renditions of the sample ladder in Apple's HLS Authoring Specification, with a key frame every 2 s, segments of
# 6 s and peaks of twice the average, as it says; the preset is the baseline's.
_APPLE = (
    (1080, 7800),
    (1080, 6000),
    (720, 4500),
    (720, 3000),
    (540, 2000),
    (432, 1100),
    (432, 730),
    (360, 365),
    (234, 145),
)
_APPLE_GOP_SECONDS, _APPLE_SEGMENT_SECONDS = 2, 6


def _encore(scene: Scene, folder: Path) -> Steps:
    targets = _fitting(_ENCORE, scene)
    seconds = _ENCORE_KEY_FRAMES / scene.facts.frame_rate
    logs = scene.folder / "encore-pass"
    passes = [_encodes(scene, folder, targets, seconds, number, str(logs)) for number in (1, 2)]
    return [[argv] for argv in passes]


def _apple(scene: Scene, folder: Path) -> Steps:
    gop = round(_APPLE_GOP_SECONDS * scene.facts.frame_rate)
    params = f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0"
    options = ("-preset", baseline.PRESET, "-profile:v", "high", "-x264-params", params)
    targets = tuple(_Target(side, rate, 2 * rate, 2 * rate, options) for side, rate in _APPLE)
    return [[_encodes(scene, folder, _fitting(targets, scene), _APPLE_SEGMENT_SECONDS)]]


def _fitting(targets: tuple[_Target, ...], scene: Scene) -> list[_Target]:
    """Those that are not larger than the clip; of a very small one the smallest."""
    return [target for target in targets if target.side <= scene.facts.short_side] or [targets[-1]]


def _encodes(
    scene: Scene, folder: Path, targets: list[_Target], segment: float, number: int | None = None, logs: str = ""
) -> list[str]:
    """One ffmpeg for all targets.

    Args:
        segment: seconds.
        number: of the pass, where there are two. logs: what the names of its logs begin with.
    """
    copies = "".join(f"[copy{index}]" for index in range(len(targets)))
    graph = [f"[0:v:0]format=yuv420p,split={len(targets)}{copies}"]
    outputs: list[str] = []
    for index, target in enumerate(targets):
        size = f"w='if(gte(iw,ih),-2,{target.side})':h='if(gte(iw,ih),{target.side},-2)'"
        graph.append(f"[copy{index}]scale={size}:flags=bicubic[v{index}]")
        outputs += ["-map", f"[v{index}]", "-c:v", "libx264", *target.options]
        outputs += ["-b:v", f"{target.average}k", "-maxrate", f"{target.most}k", "-bufsize", f"{target.buffer}k"]
        if number:
            outputs += ["-pass", str(number), "-passlogfile", f"{logs}-{index}"]
        outputs += ["-f", "null", "-"] if number == 1 else _hls(folder / f"{target.side}p-{target.average}k", segment)
    if scene.facts.has_audio and number != 1:
        outputs += ["-map", "0:a:0", "-c:a", "aac", "-b:a", "128k", "-ac", "2", *_hls(folder / "audio", segment)]
    return clips.ffmpeg(["-y", "-i", str(scene.clip.resolve()), "-filter_complex", ";".join(graph), *outputs])


def _hls(folder: Path, segment: float) -> list[str]:
    folder.mkdir(exist_ok=True)
    options = ("-f", "hls", "-hls_time", f"{segment:g}", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4")
    return [*options, "-hls_segment_filename", str(folder / "video_%05d.m4s"), str(folder / "video.m3u8")]


BASELINE = Commands("baseline", "plain ffmpeg + upload", _baseline)

OTHERS = (
    Commands("each-alone", "one ffmpeg a rendition", _each_alone),
    Commands("shaka", "Shaka Streamer, its defaults", _shaka),
    Commands("encore", "SVT Encore's reference profile", _encore),
    Commands("apple", "Apple's sample ladder", _apple),
)
"""Run once each, beside the baseline."""

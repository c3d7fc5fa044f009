"""The fixed baseline: one plain ffmpeg process that makes the same ladder; an upload of its output follows.

Its settings stand here and not in profiles.toml: a yardstick must not grow with what it measures. They are those that the profile
``balanced`` had at first, and are never changed; a test pins the command.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from stack.clips import Facts

PRESET = "faster"
_AUDIO_RATE = 128_000
_GOP_SECONDS, _SEGMENT_SECONDS = 2, 6


@dataclass(frozen=True)
class Rung:
    """A rendition of the baseline: pixels of the short side, x264's rate factor, and cap in bits per second."""

    side: int
    crf: float
    max_rate: int

    @property
    def name(self) -> str:
        """As a job names it: ``720p``."""
        return f"{self.side}p"


# Caps in bits per second at 30 frames per second; the buffer holds a second of them.
RUNGS = (
    Rung(144, 24, 180_000),
    Rung(240, 24, 500_000),
    Rung(360, 23, 900_000),
    Rung(480, 23, 1_400_000),
    Rung(540, 23, 1_900_000),
    Rung(720, 23, 3_000_000),
    Rung(1080, 24, 5_500_000),
    Rung(1440, 24, 8_700_000),
    Rung(2160, 24, 16_500_000),
)


def ladder(resolutions: tuple[str, ...], clip: Facts) -> list[Rung]:
    """The rungs of these names, in the order of their names: none larger than the clip, capped for its frame rate."""
    rungs = {rung.name: rung for rung in RUNGS}
    # More frames need more bits, but not in proportion: those of one second resemble each other more.
    factor = max(0.6, (clip.frame_rate / 30) ** 0.585)
    return [
        replace(rungs[name], max_rate=int(rungs[name].max_rate * factor))
        for name in resolutions
        if rungs[name].side <= clip.short_side
    ]


def command(source: Path, folder: Path, clip: Facts, rungs: list[Rung]) -> list[str]:
    """Ffmpeg's arguments: one decode, ``split``, every rung scaled from the source, HLS with CMAF segments."""
    gop = round(_GOP_SECONDS * clip.frame_rate)
    video: list[str] = []
    for number, rung in enumerate(rungs):
        rate = [f"-crf:v:{number}", f"{rung.crf:g}", f"-maxrate:v:{number}", str(rung.max_rate)]
        video += ["-map", f"[{rung.name}]", *rate, f"-bufsize:v:{number}", str(rung.max_rate)]
    params = f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0"
    video += ["-c:v", "libx264", "-preset", PRESET, "-profile:v", "high", "-x264-params", params]
    sound = ["-map", "0:a:0", "-c:a", "aac", "-b:a", str(_AUDIO_RATE), "-ac", "2"] if clip.has_audio else []
    return ["-y", "-i", str(source), "-filter_complex", _graph(rungs), *video, *sound, *_hls(rungs, folder, clip)]


def _graph(rungs: list[Rung]) -> str:
    copies = "".join(f"[copy{number}]" for number in range(len(rungs)))
    pieces = [f"[0:v:0]format=yuv420p,split={len(rungs)}{copies}"]
    for number, rung in enumerate(rungs):
        size = f"w='if(gte(iw,ih),-2,{rung.side})':h='if(gte(iw,ih),{rung.side},-2)'"
        pieces.append(f"[copy{number}]scale={size}:flags=bicubic[{rung.name}]")
    return ";".join(pieces)


def _hls(rungs: list[Rung], folder: Path, clip: Facts) -> list[str]:
    group = ",agroup:sound" if clip.has_audio else ""
    streams = [f"v:{number},name:{rung.name}{group}" for number, rung in enumerate(rungs)]
    streams += ["a:0,agroup:sound,name:audio"] if clip.has_audio else []
    return [
        *("-f", "hls", "-hls_time", str(_SEGMENT_SECONDS), "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"),
        *("-master_pl_name", "video.m3u8", "-var_stream_map", " ".join(streams)),
        *("-hls_segment_filename", str(folder / "%v" / "video_%05d.m4s"), str(folder / "%v" / "video.m3u8")),
    ]

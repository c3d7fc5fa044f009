"""What the benchmark compares with: one plain ffmpeg process that makes the same ladder, then an upload of its output."""

from dataclasses import dataclass
from pathlib import Path

from shared.media.profile import Profile, load_profile, short_side
from stack.clips import Facts

_GOP_SECONDS, _SEGMENT_SECONDS = 2, 6


@dataclass(frozen=True)
class Rung:
    """A rendition of the baseline: pixels of the short side, x264's rate factor, cap and buffer in bits."""

    resolution: str
    side: int
    crf: float
    max_rate: int
    buffer: int


def ladder(profile: Profile, resolutions: tuple[str, ...], clip: Facts) -> list[Rung]:
    """The rungs that Millrace makes of the clip with this profile: none larger than the clip, capped for its frame rate."""
    rungs = []
    for name in resolutions:
        if short_side(name) <= clip.short_side:
            settings = profile.rung(name)
            # The fetcher's ladder lets the cap grow with the frame rate in the same way.
            max_rate = int(settings.max_rate * 1000 * max(0.6, (clip.frame_rate / 30) ** 0.585))
            buffer = int(max_rate * profile.buffer_seconds)
            rungs.append(Rung(name, short_side(name), settings.crf, max_rate, buffer))
    return rungs


def command(source: Path, folder: Path, clip: Facts, resolutions: tuple[str, ...], profile_name: str) -> list[str]:
    """Ffmpeg's arguments: one decode, ``split``, every rung scaled from the source, HLS with CMAF segments."""
    profile = load_profile(profile_name)
    rungs = ladder(profile, resolutions, clip)
    gop = round(_GOP_SECONDS * clip.frame_rate)
    video: list[str] = []
    for number, rung in enumerate(rungs):
        rate = [f"-crf:v:{number}", f"{rung.crf:g}", f"-maxrate:v:{number}", str(rung.max_rate)]
        video += ["-map", f"[{rung.resolution}]", *rate, f"-bufsize:v:{number}", str(rung.buffer)]
    fixed = f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0"
    extra = f":{profile.encoder_params}" if profile.encoder_params else ""
    video += ["-c:v", "libx264", "-preset", profile.preset, "-profile:v", "high", "-x264-params", fixed + extra]
    sound = ["-map", "0:a:0", "-c:a", "aac", "-b:a", str(profile.audio_rate), "-ac", "2"] if clip.has_audio else []
    return ["-y", "-i", str(source), "-filter_complex", _graph(rungs), *video, *sound, *_hls(rungs, folder, clip)]


def _graph(rungs: list[Rung]) -> str:
    copies = "".join(f"[copy{number}]" for number in range(len(rungs)))
    pieces = [f"[0:v:0]format=yuv420p,split={len(rungs)}{copies}"]
    for number, rung in enumerate(rungs):
        size = f"w='if(gte(iw,ih),-2,{rung.side})':h='if(gte(iw,ih),{rung.side},-2)'"
        pieces.append(f"[copy{number}]scale={size}:flags=bicubic[{rung.resolution}]")
    return ";".join(pieces)


def _hls(rungs: list[Rung], folder: Path, clip: Facts) -> list[str]:
    group = ",agroup:sound" if clip.has_audio else ""
    streams = [f"v:{number},name:{rung.resolution}{group}" for number, rung in enumerate(rungs)]
    streams += ["a:0,agroup:sound,name:audio"] if clip.has_audio else []
    return [
        *("-f", "hls", "-hls_time", str(_SEGMENT_SECONDS), "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"),
        *("-master_pl_name", "video.m3u8", "-var_stream_map", " ".join(streams)),
        *("-hls_segment_filename", str(folder / "%v" / "video_%05d.m4s"), str(folder / "%v" / "video.m3u8")),
    ]

"""ffmpeg command lines. Pure: a plan in, the list of arguments out."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Literal

from services.transcoder.webvtt import CLOCK_SHIFT
from shared.media.plan import AudioPart, Plan, Rung, TextPart, VideoPart
from shared.media.source import Source

Encoder = Literal["libx264", "h264_nvenc"]

FRAME_STATS = "shown.txt"
"""File in the working folder that gets, for each output frame, the time stamp of the source frame it shows."""

# Seconds that the pictures may end before the last packet says: the last ones may be broken, or hold nothing to show.
_TAIL_SLACK = 2


@dataclass(frozen=True)
class Tools:
    """How to encode here: path of ffmpeg, and the video encoder."""

    ffmpeg: str
    encoder: Encoder = "libx264"


def video_command(tools: Tools, source: Source, file: Path, plan: Plan, part: VideoPart, folder: Path) -> list[str]:
    """Encode a part at all rungs with one decode, into ``<folder>/<resolution>.mp4``."""
    argv = [tools.ffmpeg, *_GLOBAL, *_input(source, file, part), "-filter_complex", video_graph(source, plan, part)]
    for rung in plan.rungs:
        argv += ["-map", f"[{rung.resolution}]", *_video_encoder(tools.encoder, plan, rung)]
        if rung is plan.rungs[0]:
            # One line for each frame handed to the encoder, with the time stamp it had in the source.
            argv += ["-stats_enc_pre:v", str(folder / FRAME_STATS), "-stats_enc_pre_fmt", "{ptsi}"]
        argv += [*_mp4(plan.timescale), str(folder / f"{rung.resolution}.mp4")]
    return argv


def audio_command(tools: Tools, source: Source, file: Path, plan: Plan, part: AudioPart, folder: Path) -> list[str]:
    """Encode a whole audio track into ``<folder>/audio.mp4``."""
    samples = audio_samples(plan, part)
    origin = _seconds(plan.origin)
    graph = ",".join(
        (
            # On the output's clock. Gaps are filled with silence and drift is stretched away, so that sound stays with the
            # picture to the last second; what lies before the origin is cut off.
            f"[0:{part.track}]asetpts=PTS-({origin})/TB",
            f"aresample={part.sample_rate}:async=1000:min_hard_comp=0.02:first_pts=0",
            f"aformat=sample_fmts=fltp:channel_layouts={'mono' if part.channels == 1 else 'stereo'}",
            # As long as the picture, to the sample.
            f"apad=whole_len={samples}",
            f"atrim=end_sample={samples}[out]",
        )
    )
    return [
        tools.ffmpeg, *_GLOBAL, *_input(source, file, None), "-filter_complex", graph,
        "-map", "[out]", "-c:a", "aac", "-b:a", str(part.bit_rate),
        *_mp4(None), "-frag_duration", "10000000", str(folder / "audio.mp4"),
    ]  # fmt: skip


def text_command(tools: Tools, source: Source, file: Path, part: TextPart, folder: Path) -> list[str]:
    """Turn a whole subtitle track into ``<folder>/text.vtt``, on the source's clock and :data:`CLOCK_SHIFT` seconds later."""
    return [
        tools.ffmpeg, *_GLOBAL, *_input(source, file, None), "-map", f"0:{part.track}", "-c:s", "webvtt",
        # No cue may be lost that begins before zero, nor may the muxer move all of them for its sake.
        "-output_ts_offset", str(CLOCK_SHIFT), "-avoid_negative_ts", "disabled",
        "-map_metadata", "-1", "-f", "webvtt", str(folder / "text.vtt"),
    ]  # fmt: skip


def audio_samples(plan: Plan, part: AudioPart) -> int:
    """How many samples the track has: those of the picture's duration, rounded up."""
    exact = plan.duration * part.sample_rate
    return -(-exact.numerator // exact.denominator)


def video_graph(source: Source, plan: Plan, part: VideoPart) -> str:
    """The filter graph: cut exactly, make the rate constant, normalise, then scale each rung from the next larger one."""
    cut = [f"trim=start_pts={part.first_pts}"] if part.first_pts is not None else []
    if plan.origin_pts:
        cut.append(f"setpts=PTS-{plan.origin_pts}")
    # Before the first picture, where sound begins earlier, there is the first picture. What is read from a later place must
    # not say where it starts: the filter would round time stamps from there, and not as one single pass over the source does.
    start = ":start_time=0" if part.first_pts is None else ""
    chain = [
        *cut,
        *plan.field_filters,
        f"fps=fps={plan.frame_rate}:round=near{start}",
        *_tail(plan, part),
        # On the clock of the output, where a tick is a frame.
        f"trim=start_pts={part.first_frame}:end_pts={part.first_frame + part.frames}",
        "setpts=PTS-STARTPTS",
        *plan.picture_filters,
    ]
    return f"[0:{source.video.index}]" + ",".join(chain) + _ladder_graph(plan.rungs)


def _tail(plan: Plan, part: VideoPart) -> list[str]:
    """Repeats of the last picture, where the sound goes on after it."""
    end = part.first_frame + part.frames
    if end < plan.frames and not part.pad:
        return []
    own = plan.frames - sum(each.pad for each in plan.video)
    return [f"tpad=stop_mode=clone:stop={max(0, end - own) + ceil(_TAIL_SLACK * plan.frame_rate)}"]


def _ladder_graph(rungs: Sequence[Rung]) -> str:
    pieces = []
    for number, rung in enumerate(rungs):
        feed = "" if number == 0 else f";[from{number}]"
        comma = "," if number == 0 else ""
        scale = f"{feed}{comma}scale={rung.width}:{rung.height}:flags=bicubic,setsar=1"
        if number + 1 < len(rungs):
            # Scaling from the next larger rung costs a fraction of scaling from the source each time.
            scale += f",split=2[{rung.resolution}][from{number + 1}]"
        else:
            scale += f"[{rung.resolution}]"
        pieces.append(scale)
    return "".join(pieces)


# No prompt, no banner; warnings go to the part's log; progress in lines of key=value on standard output. How much damage
# is too much is judged by what comes out, and must not depend on where a part begins.
_GLOBAL = (
    "-hide_banner", "-nostdin", "-loglevel", "warning", "-progress", "pipe:1", "-stats_period", "0.5", "-y",
    "-max_error_rate", "1",
)  # fmt: skip


def _input(source: Source, file: Path, part: VideoPart | None) -> list[str]:
    """The input with a fixed demuxer and local files only: what is in the file can choose neither."""
    argv = ["-protocol_whitelist", "file", "-f", source.demuxer]
    if source.demuxer == "mov":
        # External data references of QuickTime files are not followed.
        argv += ["-enable_drefs", "0", "-use_absolute_path", "0"]
    if part is not None and part.seek is not None:
        # To a key frame, by the source's own clock; the frames before the cut are decoded and dropped by the trim filter.
        argv += ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{part.seek:.6f}"]
    # Time stamps as they are in the file: the plan counts on them. Orientation is the plan's business, too.
    return [*argv, "-copyts", "-noautorotate", "-i", str(file)]


def _video_encoder(encoder: Encoder, plan: Plan, rung: Rung) -> list[str]:
    common = [
        "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-profile:v", "high", "-level:v", rung.level,
        "-maxrate:v", str(rung.max_rate), "-bufsize:v", str(rung.buffer), "-g", str(plan.gop_frames),
        "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv",
    ]  # fmt: skip
    if encoder == "h264_nvenc":
        return [
            "-c:v", "h264_nvenc", "-preset", "p5", "-tune", "hq", "-rc", "vbr", "-cq", f"{rung.crf:g}", "-b:v", "0",
            # IDR frames at fixed places, no scene cuts, and no B-frame that refers across them.
            "-forced-idr", "1", "-no-scenecut", "1", "-strict_gop", "1", "-bf", "2", "-rc-lookahead", "16", *common,
        ]  # fmt: skip
    fixed = {
        # Every GOP is closed and of the same length, so that segments of all rungs begin at the same instants.
        "keyint": plan.gop_frames, "min-keyint": plan.gop_frames, "scenecut": 0, "open-gop": 0,
        # The parameter sets have an id that NVENC's never have: a part made again on the CPU can join parts of the GPU.
        "sps-id": 1,
    }  # fmt: skip
    params = ":".join(f"{key}={value}" for key, value in fixed.items())
    return [
        "-c:v", "libx264", "-preset", plan.preset, "-crf", f"{rung.crf:g}", *common,
        # One thread for each rung: the rungs run side by side anyhow, and the result must not depend on the machine.
        "-threads:v", "1", "-x264-params", params + (f":{plan.encoder_params}" if plan.encoder_params else ""),
    ]  # fmt: skip


def _mp4(timescale: int | None) -> list[str]:
    """A fragmented file, a fragment for each GOP, the same bytes on every machine."""
    return [
        *(["-video_track_timescale", str(timescale)] if timescale else []),
        "-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact", "-flags", "+bitexact",
        # Times begin at zero without an edit list: composition offsets may be negative instead.
        "-use_editlist", "0",
        "-movflags", "+empty_moov+default_base_moof+negative_cts_offsets" + ("+frag_keyframe" if timescale else ""),
        "-f", "mp4",
    ]  # fmt: skip


def _seconds(value: Fraction) -> str:
    return f"{float(value):.9f}"

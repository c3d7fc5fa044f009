"""ffmpeg command lines. Pure: a plan in, the list of arguments out."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from services.transcoder import stills
from services.transcoder.audio_filters import audio_samples, clock_filters, stereo_filters
from services.transcoder.audio_times import Piece
from services.transcoder.webvtt import CLOCK_SHIFT
from shared.media.codecs.aac import AAC
from shared.media.codecs.table import device_of, video_codec
from shared.media.plan import AudioPart, Plan, Rung, TextPart, VideoPart
from shared.media.source import Source
from shared.workspace.space import SourceInput

FRAME_STATS = "shown.txt"
"""File in the working folder that gets, for each output frame, the time stamp of the source frame it shows."""

AUDIO_TIMES, AUDIO_GRAPH = "times.txt", "audio.graph"
"""Files in the working folder for sound whose stamps jitter: its frames' times, and the second graph."""

# Seconds that the frames may end before the last packet says: the last ones may be broken, or hold nothing to show.
_TAIL_SLACK = 2


@dataclass(frozen=True)
class Tools:
    """How to encode here: path of ffmpeg, and its encoder of H.264.

    Other codecs are encoded on the device that this encoder runs on, where they can be. ``digest`` tells these tools from others
    (:mod:`services.transcoder.toolchain`); empty where nobody asked.
    """

    ffmpeg: str
    encoder: str = "libx264"
    digest: str = ""


def video_command(
    tools: Tools, source: Source, opened: SourceInput, plan: Plan, part: VideoPart, folder: Path
) -> list[str]:
    """Encode a part at all rungs with one decode, into ``<folder>/<name of the rung>.mp4``, and its stills below ``<folder>``."""
    argv = [tools.ffmpeg, *_GLOBAL, *_input(source, opened, part), "-filter_complex", video_graph(source, plan, part)]
    device = device_of(tools.encoder)
    for rung in plan.rungs:
        encoder = video_codec(rung.codec).encoder_on(device)
        argv += ["-map", f"[{rung.name}]", *encoder.arguments(plan, rung)]
        if rung is plan.rungs[0]:
            # One line for each frame handed to the encoder, with the time stamp it had in the source.
            argv += ["-stats_enc_pre:v", str(folder / FRAME_STATS), "-stats_enc_pre_fmt", "{ptsi}"]
        argv += [*_mp4(plan.timescale), str(folder / f"{rung.name}.mp4")]
    return [*argv, *stills.outputs(plan, part, folder)]


def audio_command(
    tools: Tools,
    source: Source,
    opened: SourceInput,
    plan: Plan,
    part: AudioPart,
    folder: Path,
    pieces: Sequence[Piece] = (),
) -> list[str]:
    """Encode a whole audio track into ``<folder>/audio.mp4``.

    Args:
        pieces: where its samples belong; none where their time stamps say it exactly.
    """
    graph = f"[dec:0]{','.join(clock_filters(source.audio_track(part.track), plan, part, pieces))}[out]"
    argument = ["-filter_complex", graph]
    if pieces:
        # Thousands of pieces are more than fits into an argument.
        (folder / AUDIO_GRAPH).write_text(graph)
        argument = ["-/filter_complex", str(folder / AUDIO_GRAPH)]
    return [
        *_decoded_audio(tools, source, opened, plan, part), "-dec", "0:0", *argument, "-map", "[out]",
        *_audio_encoder(part, folder),
    ]  # fmt: skip


def audio_times_command(
    tools: Tools, source: Source, opened: SourceInput, plan: Plan, part: AudioPart, folder: Path
) -> list[str]:
    """Write time stamp and length of each frame of an audio track, as the second graph gets them, into :data:`AUDIO_TIMES`."""
    times = ["-stats_enc_pre:a", str(folder / AUDIO_TIMES), "-stats_enc_pre_fmt:a", "{pts} {samp}"]
    return _decoded_audio(tools, source, opened, plan, part, times)


def _decoded_audio(
    tools: Tools, source: Source, opened: SourceInput, plan: Plan, part: AudioPart, options: Sequence[str] = ()
) -> list[str]:
    """A track as samples without compression, to nowhere; from there, inside of the same process, the second graph takes them."""
    filters = ",".join(stereo_filters(source.audio_track(part.track), plan, part.sample_rate))
    return [
        tools.ffmpeg, *_GLOBAL, *_own_times(source), *_input(source, opened, None),
        "-map", f"0:{part.track}", "-af", filters, "-c:a", "pcm_f32le", *options, "-f", "null", "-",
    ]  # fmt: skip


def silence_command(tools: Tools, plan: Plan, part: AudioPart, folder: Path) -> list[str]:
    """The same without a source, for a track of which nothing can be decoded."""
    silence = (
        f"anullsrc=channel_layout=stereo:sample_rate={part.sample_rate},atrim=end_sample={audio_samples(plan, part)}"
    )
    return [tools.ffmpeg, *_GLOBAL, "-f", "lavfi", "-i", silence, *_audio_encoder(part, folder)]


def text_command(tools: Tools, source: Source, opened: SourceInput, part: TextPart, folder: Path) -> list[str]:
    """Turn a whole subtitle track into ``<folder>/text.vtt``, on the source's clock and :data:`CLOCK_SHIFT` seconds later."""
    return [
        tools.ffmpeg, *_GLOBAL, *_input(source, opened, None), "-map", f"0:{part.track}", "-c:s", "webvtt",
        # No cue may be lost that begins before zero, nor may the muxer move all of them for its sake.
        "-output_ts_offset", str(CLOCK_SHIFT), "-avoid_negative_ts", "disabled",
        "-map_metadata", "-1", "-f", "webvtt", str(folder / "text.vtt"),
    ]  # fmt: skip


def video_graph(source: Source, plan: Plan, part: VideoPart) -> str:
    """The filter graph: cut exactly, make the rate constant, normalise, then scale each rung from the next larger one.

    Stills branch off before the scaling: they may be larger than the largest rung.
    """
    cut = [f"trim=start_pts={part.first_pts}"] if part.first_pts is not None else []
    if plan.origin_pts:
        cut.append(f"setpts=PTS-{plan.origin_pts}")
    # Before the first frame, where audio begins earlier, the first frame is shown. What is read from a later place must
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
    aside = stills.branches(plan, part)
    if not aside:
        return f"[0:{source.video.index}]{','.join(chain)},{_ladder_graph(plan.rungs)}"
    split = f"split={1 + len(aside)}[frames]" + "".join(f"[to_{label}]" for label in aside)
    taken = "".join(f";[to_{label}]{filters}[{label}]" for label, filters in aside.items())
    return f"[0:{source.video.index}]{','.join(chain)},{split};[frames]{_ladder_graph(plan.rungs)}{taken}"


def _tail(plan: Plan, part: VideoPart) -> list[str]:
    """Repeats of the last frame, where the audio goes on after it."""
    end = part.first_frame + part.frames
    if end < plan.frames and not part.pad:
        return []
    own = plan.frames - sum(each.pad for each in plan.video)
    return [f"tpad=stop_mode=clone:stop={max(0, end - own) + ceil(_TAIL_SLACK * plan.frame_rate)}"]


def _ladder_graph(rungs: Sequence[Rung]) -> str:
    chains = []
    for number, rung in enumerate(rungs):
        feed = "" if number == 0 else f";[from{number}]"
        scale = f"{feed}scale={rung.width}:{rung.height}:flags=bicubic,setsar=1"
        if number + 1 < len(rungs):
            # Scaling from the next larger rung costs a fraction of scaling from the source each time.
            scale += f",split=2[{rung.name}][from{number + 1}]"
        else:
            scale += f"[{rung.name}]"
        chains.append(scale)
    return "".join(chains)


# No prompt, no banner; warnings go to the part's log; progress in lines of key=value on standard output. How much damage
# is too much is judged by what comes out, and must not depend on where a part begins.
_GLOBAL = (
    "-hide_banner", "-nostdin", "-loglevel", "warning", "-progress", "pipe:1", "-stats_period", "0.5", "-y",
    "-max_error_rate", "1",
)  # fmt: skip


def _input(source: Source, opened: SourceInput, part: VideoPart | None) -> list[str]:
    """The input with a fixed demuxer and local files only: what is in the file can choose neither."""
    argv = ["-protocol_whitelist", opened.protocols, "-f", source.demuxer]
    if source.demuxer == "mov":
        # External data references of QuickTime files are not followed.
        argv += ["-enable_drefs", "0", "-use_absolute_path", "0"]
    if part is not None and part.seek is not None:
        # To a key frame, by the source's own clock; the frames before the cut are decoded and dropped by the trim filter.
        argv += ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{part.seek:.6f}"]
    if part is not None:
        # Where frames change in the middle, the graph scales them itself. One made anew would forget where it is in time.
        argv += ["-reinit_filter:v", "0"]
        if source.video.decoder:
            argv += ["-c:v", source.video.decoder]
    # Time stamps as they are in the file: the plan counts on them. Orientation is the plan's business, too.
    return [*argv, "-copyts", "-noautorotate", "-i", opened.address]


def _own_times(source: Source) -> list[str]:
    """Options that leave the times of frames without one to the decoder.

    Of several frames in one packet of a transport stream only the first has a time. The demuxer would work out those of the
    others by the sample rate that the track begins with; the decoder does it by the one that they have.
    """
    return ["-fflags", "nofillin"] if source.demuxer in ("mpegts", "mpeg") else []


def _audio_encoder(part: AudioPart, folder: Path) -> list[str]:
    return [*AAC.arguments(part), *_mp4(None), "-frag_duration", "10000000", str(folder / "audio.mp4")]


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

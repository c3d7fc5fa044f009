"""Whole command lines for ffmpeg, compared as text; nothing is run."""

import shlex
from array import array
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from services.fetcher.plan.normalise import TAGGED
from services.fetcher.plan.plan import make_plan
from services.fetcher.probe.index import VideoIndex
from services.transcoder.audio_filters import audio_samples, clock_filters, stereo_filters
from services.transcoder.command import Tools, audio_command, silence_command, text_command, video_command, video_graph
from shared.media.plan import Plan, Rung, TextPart
from shared.media.source import AudioTrack, Color, Source, VideoTrack
from shared.media.stills import Stills, StillSet
from shared.workspace.space import SourceInput

TOOLS = Tools("/usr/bin/ffmpeg")
FILE, FOLDER = SourceInput("/space/source/film"), Path("/space/attempt")
RUNGS = (
    Rung(
        name="480p",
        resolution="480p",
        codec="h264",
        width=854,
        height=480,
        crf=24,
        max_rate=1_500_000,
        buffer=1_400_000,
        level="3.1",
    ),
    Rung(
        name="240p",
        resolution="240p",
        codec="h264",
        width=426,
        height=240,
        crf=25.5,
        max_rate=400_000,
        buffer=400_000,
        level="2.1",
    ),
)
TEXT = TextPart(name="t0", track=2, folder="text/0-en", label="en", language="en", default=False, forced=False)


def planned(
    *,
    sound: tuple[float, float] | None = (0, 20),
    demuxer: str = "mov",
    start: int = 0,
    stills: Stills | None = None,
    **members: Any,
) -> tuple[Source, Plan]:
    """Twenty seconds at 25 frames a second with a ladder of two rungs."""
    pts = array("q", range(start, start + 500 * 512, 512))
    video = VideoTrack(
        index=2, codec="h264", pixel_format="yuv420p", width=1280, height=720, time_base=Fraction(1, 12800), start_pts=start,
        end_pts=start + 500 * 512, frames=500, frame_rate=Fraction(25), color=Color(matrix="bt709"), **members,
    )  # fmt: skip
    audio = (
        AudioTrack(index=1, codec="aac", channels=6, sample_rate=44100, start=sound[0], end=sound[1]) if sound else None
    )
    source = Source(demuxer=demuxer, file="film", bytes=1, duration=20, video=video, audio=(audio,) if audio else ())
    plan, _ = make_plan(source, VideoIndex(pts, pts[::50], ()), ("480p",), "balanced", window=4)
    return source, plan.model_copy(
        update={"rungs": RUNGS, "preset": "faster", "encoder_params": "aq-mode=3", "stills": stills}
    )


def command(source: Source, plan: Plan, number: int, tools: Tools = TOOLS) -> str:
    # Quoted for a shell, quotes of the graph would be unreadable here.
    argv = video_command(tools, source, FILE, plan, plan.video[number], FOLDER)
    return " ".join(f"'{word}'" if "[" in word else shlex.quote(word) for word in argv)


X264_480 = (
    "-map '[480p]' -c:v libx264 -preset faster -crf 24 -fps_mode passthrough -pix_fmt yuv420p -profile:v high -level:v 3.1 "
    "-maxrate:v 1500000 -bufsize:v 1400000 -g 50 -colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv "
    "-threads:v 1 -x264-params keyint=50:min-keyint=50:scenecut=0:open-gop=0:sps-id=1:aq-mode=3 "
    "-stats_enc_pre:v /space/attempt/shown.txt -stats_enc_pre_fmt '{ptsi}'"
)
X264_240 = (
    "-map '[240p]' -c:v libx264 -preset faster -crf 25.5 -fps_mode passthrough -pix_fmt yuv420p -profile:v high -level:v 2.1 "
    "-maxrate:v 400000 -bufsize:v 400000 -g 50 -colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv "
    "-threads:v 1 -x264-params keyint=50:min-keyint=50:scenecut=0:open-gop=0:sps-id=1:aq-mode=3"
)
BITEXACT = "-map_metadata -1 -map_chapters -1 -fflags +bitexact -flags +bitexact -use_editlist 0"
FRAGMENTS = "-movflags +empty_moov+default_base_moof+negative_cts_offsets"
MP4 = f"-video_track_timescale 25000 {BITEXACT} {FRAGMENTS}+frag_keyframe -f mp4"
START = (
    "/usr/bin/ffmpeg -hide_banner -nostdin -loglevel warning -progress pipe:1 -stats_period 0.5 -y -max_error_rate 1"
)
UPRIGHT = "sidedata=mode=delete:type=DISPLAYMATRIX"
SCALES = "scale=854:480:flags=bicubic,setsar=1,split=2[480p][from1];[from1]scale=426:240:flags=bicubic,setsar=1[240p]"
SIZE = (
    "scale=w='if(eq(ih,720),1280,round(min(1280/iw,720/ih)*iw))':h='if(eq(ih,720),720,round(min(1280/iw,720/ih)*ih))'"
    ":eval=frame,pad=1280:720:(ow-iw)/2:(oh-ih)/2:eval=frame"
)
LADDER = f"format=yuv420p,{TAGGED},{UPRIGHT},{SCALES}"


def test_the_first_part_reads_from_the_start() -> None:
    assert command(*planned(), 0) == (
        f"{START} -protocol_whitelist file -f mov -enable_drefs 0 -use_absolute_path 0 -reinit_filter:v 0 -copyts -noautorotate -i /space/source/film "
        f"-filter_complex '[0:2]{SIZE},fps=fps=25:round=near:start_time=0,trim=start_pts=0:end_pts=150,setpts=PTS-STARTPTS,{LADDER}' "
        f"{X264_480} {MP4} /space/attempt/480p.mp4 {X264_240} {MP4} /space/attempt/240p.mp4"
    )


def test_a_later_part_seeks_to_its_key_frame_and_cuts_by_frames() -> None:
    assert command(*planned(demuxer="matroska", start=12800), 1) == (
        f"{START} -protocol_whitelist file -f matroska -seek_timestamp 1 -noaccurate_seek -ss 5.000000 -reinit_filter:v 0 "
        "-copyts -noautorotate -i /space/source/film "
        f"-filter_complex '[0:2]trim=start_pts=76800,{SIZE},fps=fps=25:round=near,trim=start_pts=150:end_pts=300,"
        f"setpts=PTS-STARTPTS,{LADDER}' "
        f"{X264_480} {MP4} /space/attempt/480p.mp4 {X264_240} {MP4} /space/attempt/240p.mp4"
    )


def test_a_video_that_begins_after_zero_is_put_on_the_clock_of_the_output() -> None:
    source, plan = planned(sound=None, start=12800)
    assert video_graph(source, plan, plan.video[0]).startswith(
        f"[0:2]setpts=PTS-12800,{SIZE},fps=fps=25:round=near:start_time=0,trim="
    )
    assert video_graph(source, plan, plan.video[1]).startswith(
        f"[0:2]trim=start_pts=89600,setpts=PTS-12800,{SIZE},fps=fps=25:round=near,trim=start_pts=150:end_pts=300,"
    )


def test_the_last_picture_is_repeated_while_the_sound_goes_on() -> None:
    source, plan = planned(sound=(0, 33))
    tails = [
        graph.split("round=near")[1].split(",setpts")[0]
        for graph in (video_graph(source, plan, part) for part in plan.video)
    ]
    assert [part.frames for part in plan.video] == [300, 300, 225]
    assert tails == [
        ":start_time=0,trim=start_pts=0:end_pts=300",
        ",tpad=stop_mode=clone:stop=150,trim=start_pts=300:end_pts=600",
        ",tpad=stop_mode=clone:stop=375,trim=start_pts=600:end_pts=825",
    ]


def test_only_the_last_part_may_end_before_its_time() -> None:
    source, plan = planned()
    padded = ["tpad=stop_mode=clone:stop=50," in video_graph(source, plan, part) for part in plan.video]
    assert padded == [False, False, False, True]


def test_fields_are_woven_before_the_rate_is_made_constant_and_pictures_turned_after_it() -> None:
    source, plan = planned(interlaced=True, rotation=90, sample_aspect=Fraction(4, 3))
    assert video_graph(source, plan, plan.video[1]) == (
        "[0:2]trim=start_pts=75776,scale=1280:720:interl=1,bwdif=mode=send_field:parity=tff:deint=all,fps=fps=50:round=near,"
        f"trim=start_pts=300:end_pts=600,setpts=PTS-STARTPTS,format=yuv420p,{TAGGED},transpose=dir=cclock,{UPRIGHT},{SCALES}"
    )


STILLS = Stills(
    thumbnails=StillSet(frames=(50, 449), width=1280, height=720),
    tiles=StillSet(frames=(25, 74, 149, 150, 175), width=160, height=90),
    tile_frames=50,
    columns=5,
)
NORMAL = f"format=yuv420p,{TAGGED},{UPRIGHT}"
AS_JPEG = (
    "scale=1280:720:flags=bicubic+accurate_rnd+full_chroma_int:in_color_matrix=bt709:in_range=limited"
    ":out_color_matrix=bt601:out_range=full,format=yuv420p:color_ranges=pc,setsar=1,sidedata=mode=delete[thumbnail]"
)
AS_PNG = (
    "scale=160:90:flags=bicubic+accurate_rnd+full_chroma_int:in_color_matrix=bt709:in_range=limited"
    ",format=rgb24,setsar=1,sidedata=mode=delete[tile]"
)
PICTURES = (
    "-fps_mode passthrough -threads:v 1 -map_metadata -1 -fflags +bitexact -flags +bitexact -start_number {} -f image2"
)


def test_stills_are_taken_out_of_the_same_decode_before_anything_is_scaled() -> None:
    source, plan = planned(stills=STILLS)
    whole = command(source, plan, 0)
    assert video_graph(source, plan, plan.video[0]).endswith(
        f"setpts=PTS-STARTPTS,{NORMAL},split=3[frames][to_thumbnail][to_tile];[frames]{SCALES}"
        f";[to_thumbnail]select='eq(n,50)',{AS_JPEG};[to_tile]select='eq(n,25)+eq(n,74)+eq(n,149)',{AS_PNG}"
    )
    assert whole.endswith(
        f"/space/attempt/240p.mp4 -map '[thumbnail]' -c:v mjpeg -q:v 3 -strict:v unofficial {PICTURES.format(1)} /space/attempt/thumbnails/thumbnail_%d.jpg "
        f"-map '[tile]' -c:v png {PICTURES.format(1)} /space/attempt/tiles/tile_%d.png"
    )


def test_a_part_has_only_the_branches_that_it_needs_and_counts_on_from_the_parts_before() -> None:
    source, plan = planned(stills=STILLS)
    assert video_graph(source, plan, plan.video[1]).endswith(
        f"{NORMAL},split=2[frames][to_tile];[frames]{SCALES};[to_tile]select='eq(n,0)+eq(n,25)',{AS_PNG}"
    )
    assert "thumbnail" not in command(source, plan, 1)
    assert f"{PICTURES.format(4)} /space/attempt/tiles/tile_%d.png" in command(source, plan, 1)
    assert f"{PICTURES.format(2)} /space/attempt/thumbnails/thumbnail_%d.jpg" in command(source, plan, 2)
    assert [part.first_frame for part in plan.video] == [0, 150, 300, 450]


def test_a_part_without_stills_is_encoded_as_if_there_were_none() -> None:
    none = STILLS.model_copy(update={"tiles": StillSet(frames=(25,), width=160, height=90)})
    assert command(*planned(stills=none), 1) == command(*planned(), 1)


def test_a_folder_with_a_percent_sign_is_no_pattern() -> None:
    source, plan = planned(stills=STILLS)
    argv = video_command(TOOLS, source, FILE, plan, plan.video[0], Path("/space/50%d"))
    assert argv[-1] == "/space/50%%d/tiles/tile_%d.png"


def test_a_decoder_that_sees_transparency_is_asked_for() -> None:
    source, plan = planned(demuxer="matroska", decoder="libvpx-vp9")
    argv = video_command(TOOLS, source, FILE, plan, plan.video[0], FOLDER)
    assert argv[argv.index("-c:v") + 1] == "libvpx-vp9" and argv.index("-c:v") < argv.index("-i")
    argv = audio_command(TOOLS, source, FILE, plan, plan.audio[0], FOLDER)
    assert "-c:v" not in argv and "-reinit_filter:v" not in argv


def test_nvenc_makes_the_same_gops() -> None:
    source, plan = planned()
    argv = video_command(replace(TOOLS, encoder="h264_nvenc"), source, FILE, plan, plan.video[0], FOLDER)
    line = shlex.join(argv[argv.index("-map") :])
    assert line.startswith(
        "-map '[480p]' -c:v h264_nvenc -preset p5 -tune hq -rc vbr -cq 24 -b:v 0 -forced-idr 1 -no-scenecut 1 -strict_gop 1 "
        "-bf 2 -rc-lookahead 16 -fps_mode passthrough -pix_fmt yuv420p -profile:v high -level:v 3.1 "
        "-maxrate:v 1500000 -bufsize:v 1400000 -g 50"
    )
    assert "x264" not in line


AAC = f"-c:a aac -profile:a aac_low -b:a 128000 {BITEXACT} {FRAGMENTS} -f mp4 -frag_duration 10000000 /space/attempt/audio.mp4"


def test_audio_is_one_piece_on_the_clock_of_the_output() -> None:
    source, plan = planned(sound=(-2.5, 20), start=0)
    part = plan.audio[0]
    stereo = ",".join(stereo_filters(source.audio[0], plan, 48_000))
    clock = ",".join(clock_filters(source.audio[0], plan, part))
    # On the output's clock, and later by what must not come before zero between the two graphs.
    assert stereo.startswith("asetpts=PTS-(-12.500000000)/TB,")
    assert clock.startswith("asetpts=PTS-10/TB,aresample=48000:async=1000:")
    assert clock.endswith("apad=whole_len=1080960,atrim=end_sample=1080960")
    assert shlex.join(audio_command(TOOLS, source, FILE, plan, part, FOLDER)) == (
        f"{START} -protocol_whitelist file -f mov -enable_drefs 0 -use_absolute_path 0 -copyts -noautorotate -i /space/source/film "
        f"-map 0:1 -af {shlex.quote(stereo)} -c:a pcm_f32le -f null - -dec 0:0 "
        f"-filter_complex '[dec:0]{clock}[out]' -map '[out]' {AAC}"
    )


def test_a_graph_that_may_be_built_anew_has_no_memory_of_time() -> None:
    source, plan = planned()
    stateless = ("asetpts=PTS-", "aformat", "volume", "pan", "aresample=48000", "aformat")
    filters = stereo_filters(source.audio[0], plan, 48_000)
    assert all(text.startswith(name) for text, name in zip(filters, stateless, strict=True))
    assert "async" not in "".join(filters)


def test_times_inside_of_packets_are_left_to_the_decoder_in_transport_streams_only() -> None:
    for demuxer in ("mov", "matroska", "asf", "mpegts", "mpeg"):
        source, plan = planned(demuxer=demuxer)
        before = audio_command(TOOLS, source, FILE, plan, plan.audio[0], FOLDER)
        assert ("nofillin" in before[: before.index("-i")]) == (demuxer in ("mpegts", "mpeg"))


def test_silence_is_as_long_as_the_track_would_be() -> None:
    _, plan = planned()
    assert shlex.join(silence_command(TOOLS, plan, plan.audio[0], FOLDER)) == (
        f"{START} -f lavfi -i anullsrc=channel_layout=stereo:sample_rate=48000,atrim=end_sample=960000 {AAC}"
    )


def test_the_sound_is_as_long_as_the_picture_to_the_sample() -> None:
    _, plan = planned()
    ntsc = plan.model_copy(update={"frame_rate": Fraction(30000, 1001), "frames": 299})
    # 299 frames last 9.976633… s, which is 478878.4 samples.
    assert audio_samples(ntsc, plan.audio[0]) == 478879


def test_text_is_read_whole_on_the_clock_of_the_source_a_day_later() -> None:
    source, _ = planned()
    assert shlex.join(text_command(TOOLS, source, FILE, TEXT, FOLDER)) == (
        f"{START} -protocol_whitelist file -f mov -enable_drefs 0 -use_absolute_path 0 -copyts -noautorotate -i /space/source/film "
        "-map 0:2 -c:s webvtt -output_ts_offset 86400 -avoid_negative_ts disabled -map_metadata -1 "
        "-f webvtt /space/attempt/text.vtt"
    )


def test_the_source_can_choose_neither_demuxer_nor_protocol() -> None:
    for demuxer in ("mov", "matroska", "mpegts"):
        source, plan = planned(demuxer=demuxer)
        for argv in (
            video_command(TOOLS, source, FILE, plan, plan.video[0], FOLDER),
            audio_command(TOOLS, source, FILE, plan, plan.audio[0], FOLDER),
            text_command(TOOLS, source, FILE, TEXT, FOLDER),
        ):
            before = argv[: argv.index("-i")]
            assert before[before.index("-protocol_whitelist") + 1] == "file"
            assert before[before.index("-f") + 1] == demuxer
            assert argv.count("-i") == 1

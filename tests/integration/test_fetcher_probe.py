"""Probing files that ffmpeg makes: every fact that the plan rests on, and every way to be refused."""

import os
import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from services.fetcher.probe.probe import Probe, Probed, ProbeLimits
from shared.errors import PermanentError, TransientError
from shared.media.tools import ffmpeg_path, ffprobe_path
from tests.support.clips import made

LIMITS = ProbeLimits(seconds=60, memory_bytes=8 * 2**30, max_duration=3600, max_pixels=4_000_000)
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
AAC = ("-c:a", "aac")
NTSC = Fraction(30000, 1001)


def picture(rate: str = "25", seconds: float = 2, size: str = "160x120") -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}")


def sound(seconds: float = 2) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"sine=sample_rate=48000:duration={seconds}")


async def probed(file: Path, limits: ProbeLimits = LIMITS) -> Probed:
    return await Probe(ffprobe_path(), ffmpeg_path(), limits)(file)


async def refused(file: Path, limits: ProbeLimits = LIMITS) -> PermanentError:
    with pytest.raises(PermanentError) as caught:
        await probed(file, limits)
    return caught.value


@pytest.mark.usefixtures("uncaged")
@pytest.mark.parametrize("end", ["kill -KILL $$", "kill -TERM $$", "exit 255"])
@pytest.mark.parametrize("program", ["ffprobe", "ffmpeg"])
async def test_a_probe_that_somebody_else_ends_says_nothing_about_the_source(
    program: str, end: str, tmp_path: Path
) -> None:
    killed = tmp_path / program
    killed.write_text(f"#!/bin/sh\n{end}\n")
    killed.chmod(0o755)
    programs = {"ffprobe": ffprobe_path(), "ffmpeg": ffmpeg_path()} | {program: str(killed)}
    with pytest.raises(TransientError) as caught:
        await Probe(programs["ffprobe"], programs["ffmpeg"], LIMITS)(made("a.mp4", *picture(), *sound(), *X264, *AAC))
    assert caught.value.code == "worker_lost"


@pytest.mark.usefixtures("uncaged")
async def test_what_its_header_refuses_is_not_listed_any_further(tmp_path: Path) -> None:
    folder, pid, ffprobe = tmp_path / "source", tmp_path / "pid", tmp_path / "ffprobe"
    ffprobe.write_text(
        f"""#!/bin/sh
case "$*" in
*packet=*) echo $$ > {pid}; exec sleep 600 ;;
*) while ! [ -s {pid} ]; do sleep 0.01; done; exec {ffprobe_path()} "$@" ;;
esac
"""
    )
    ffprobe.chmod(0o755)
    folder.mkdir()
    file = shutil.copy(made("a.m4a", *sound(), *AAC), folder)
    with pytest.raises(PermanentError) as caught:
        await Probe(str(ffprobe), ffmpeg_path(), LIMITS)(Path(file))
    assert caught.value.code == "input_no_video_stream"
    assert [path.name for path in folder.iterdir()] == ["a.m4a"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


CONTAINERS = {
    "mp4": ("mov", True, (*X264, *AAC)),
    "mov": ("mov", True, (*X264, "-c:a", "pcm_s16le")),
    "mkv": ("matroska", True, (*X264, *AAC)),
    "webm": ("matroska", True, ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libopus")),
    "ts": ("mpegts", False, (*X264, *AAC)),
    "m2ts": ("mpegts", False, (*X264, "-c:a", "ac3")),
    "flv": ("flv", False, (*X264, *AAC)),
    "avi": ("avi", False, ("-c:v", "mpeg4", "-c:a", "pcm_s16le")),
    "asf": ("asf", False, ("-c:v", "wmv2", "-c:a", "wmav2")),
    "mpg": ("mpeg", False, ("-c:v", "mpeg2video", "-c:a", "mp2")),
    "mxf": ("mxf", False, ("-c:v", "mpeg2video", "-c:a", "pcm_s16le")),
    "nut": ("nut", False, (*X264, *AAC)),
}


@pytest.mark.parametrize("suffix", CONTAINERS)
async def test_containers(suffix: str) -> None:
    demuxer, cuttable, codecs = CONTAINERS[suffix]
    source = (await probed(made(f"a.{suffix}", *picture(), *sound(), *codecs))).source
    assert (source.demuxer, source.cuttable) == (demuxer, cuttable)
    assert (source.video.frames, source.video.frame_rate, source.video.variable_rate) == (50, Fraction(25), False)
    assert (source.video.width, source.video.height, source.video.bit_depth) == (160, 120, 8)
    assert float(source.video.end - source.video.start) == pytest.approx(2, abs=0.002)
    (audio,) = source.audio
    assert audio.sample_rate == 48000 and audio.end - audio.start == pytest.approx(2, abs=0.06)
    assert audio.start == pytest.approx(float(source.video.start), abs=0.09)
    assert source.duration == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize(
    ("suffix", "demuxer", "options"),
    [
        ("264", "h264", X264),
        ("265", "hevc", ("-c:v", "libx265", "-x265-params", "log-level=none", "-preset", "ultrafast")),
        ("m2v", "mpegvideo", ("-c:v", "mpeg2video")),
        ("ivf", "ivf", ("-c:v", "libvpx", "-deadline", "realtime")),
        ("gif", "gif", ()),
        ("y4m", "yuv4mpegpipe", ()),
    ],
)
async def test_bare_streams(suffix: str, demuxer: str, options: tuple[str, ...]) -> None:
    source = (await probed(made(f"a.{suffix}", *picture(), *options))).source
    assert (source.demuxer, source.cuttable, source.audio) == (demuxer, False, ())
    assert (source.video.frames, source.video.frame_rate) == (50, Fraction(25))


@pytest.mark.parametrize("rate", ["24000/1001", "24", "25", "30000/1001", "50", "60000/1001", "120", "1", "15", "25/2"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
async def test_rates(rate: str, suffix: str) -> None:
    video = (await probed(made(f"a.{suffix}", *picture(rate, 6), *X264))).source.video
    assert (video.frame_rate, video.variable_rate) == (Fraction(rate), False)
    assert abs(video.end - 6) < 1 / Fraction(rate) + Fraction(1, 500)


async def test_a_variable_rate_is_told_and_brought_to_a_standard_one() -> None:
    every_other_second_half = ("-vf", "select='lt(mod(t,2),1)+not(mod(n,4))'", "-fps_mode", "passthrough")
    found = await probed(made("a.mp4", *picture("30", 8), *every_other_second_half, *X264))
    assert (found.source.video.frame_rate, found.source.video.variable_rate) == (Fraction(30), True)
    assert found.source.video.frames == len(found.index.pts) < 200
    assert abs(found.source.video.end - 8) < Fraction(1, 5)


TURNS = {
    "90": (("-display_rotation", "90"), 90, False),
    "180": (("-display_rotation", "180"), 180, False),
    "270": (("-display_rotation", "-90"), 270, False),
    "flipped": (("-display_hflip",), 0, True),
    "upside down": (("-display_vflip",), 180, True),
}


@pytest.mark.parametrize("name", TURNS)
async def test_orientation_is_what_ffmpeg_itself_would_do(name: str) -> None:
    options, rotation, mirrored = TURNS[name]
    plain = made("a.mp4", *picture(), *X264)
    video = (await probed(made("b.mp4", *options, "-i", str(plain), "-c", "copy"))).source.video
    assert (video.rotation, video.mirrored, video.width) == (rotation, mirrored, 160)


async def test_sample_aspect() -> None:
    video = (await probed(made("a.mp4", *picture(), "-vf", "setsar=64/45", *X264))).source.video
    assert video.sample_aspect == Fraction(64, 45)


@pytest.mark.parametrize("top", [True, False])
@pytest.mark.parametrize("suffix", ["mp4", "ts"])
async def test_interlaced(top: bool, suffix: str) -> None:
    weave = f"tinterlace=interleave_{'top' if top else 'bottom'},fieldorder={'tff' if top else 'bff'}"
    codec = (*X264, "-flags", "+ildct+ilme", "-x264-params", "tff=1" if top else "bff=1")
    video = (await probed(made(f"a.{suffix}", *picture("60000/1001"), "-vf", weave, *codec))).source.video
    assert (video.interlaced, video.top_field_first, video.frame_rate, video.frames) == (True, top, NTSC, 60)


async def test_interlaced_mpeg2() -> None:
    options = ("-vf", "tinterlace=interleave_top,setfield=tff", "-c:v", "mpeg2video", "-flags", "+ildct+ilme")
    video = (await probed(made("a.mpg", *picture("50"), *options))).source.video
    assert (video.interlaced, video.top_field_first, video.frame_rate) == (True, True, Fraction(25))


async def test_colours_and_depth() -> None:
    tags = ("-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", "smpte2084", "-color_range", "tv")
    codec = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le")
    filters = ("-vf", "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=limited")
    video = (await probed(made("a.mp4", *picture(seconds=0.4), *filters, *codec, *tags))).source.video
    assert (video.bit_depth, video.pixel_format) == (10, "yuv420p10le")
    assert (video.color.primaries, video.color.transfer, video.color.matrix) == ("bt2020", "smpte2084", "bt2020nc")


async def test_index_of_an_open_gop() -> None:
    params = "open-gop=1:keyint=12:min-keyint=12:bframes=2:b-adapt=0:scenecut=0"
    codec = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-x264-params", params)
    found = await probed(made("a.ts", *picture(), *codec))
    keys = [found.index.shown_at(tick) for tick in found.index.keyframes]
    assert keys == [0, 12, 24, 36, 48]
    assert found.index.leading[0] is False and all(found.index.leading[1:])


async def test_index_counts_frames_of_a_file_that_was_cut_without_encoding() -> None:
    params = ("-x264-params", "keyint=75:scenecut=0:bframes=3:b-adapt=0")
    whole = made("a.mp4", *picture(seconds=8), "-c:v", "libx264", "-preset", "veryfast", *params)
    found = await probed(made("b.mp4", "-ss", "4.28", "-i", str(whole), "-c", "copy"))
    assert found.source.video.frames == len(found.index.pts) == 93
    assert found.index.keyframes[0] < found.index.pts[0], "decoding begins before the first frame that is shown"


async def test_the_clock_of_a_source_may_begin_anywhere() -> None:
    source = (await probed(made("a.mkv", *picture(), *sound(), *X264, *AAC, "-output_ts_offset", "10"))).source
    assert float(source.video.start) == pytest.approx(10, abs=0.1)
    assert source.duration == pytest.approx(2, abs=0.1)


async def test_a_transport_stream_whose_clock_wraps_around() -> None:
    wrap = 2**33 / 90_000
    source = (await probed(made("a.ts", *picture(), *sound(), *X264, *AAC, "-output_ts_offset", f"{wrap - 1}"))).source
    assert (source.video.frames, source.video.frame_rate) == (50, Fraction(25))
    assert source.duration == pytest.approx(2, abs=0.1)


async def test_transport_streams_put_together(tmp_path: Path) -> None:
    one = made("a.ts", *picture(), *sound(), *X264, *AAC)
    two = made("b.ts", *picture(), *sound(), *X264, *AAC, "-output_ts_offset", "1000")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(two.read_bytes() + one.read_bytes())
    found = await probed(joined)
    assert (found.source.video.frames, found.source.video.frame_rate) == (100, Fraction(25))
    assert found.source.duration == pytest.approx(4, abs=0.2)
    assert not found.source.cuttable
    assert [warning.code for warning in found.warnings] == ["source_clock_jumps"]


async def test_a_recording_that_begins_in_the_middle_of_a_gop(tmp_path: Path) -> None:
    whole = made("a.ts", *picture(seconds=6), *X264, "-g", "50", "-flags", "-global_header").read_bytes()
    cut = tmp_path / "cut.ts"
    start = len(whole) // 188 // 6 * 188
    cut.write_bytes(whole[start:])
    found = await probed(cut)
    assert found.index.pts[0] == found.index.keyframes[0]
    assert found.source.video.frames in (100, 101)


async def test_fragmented_files_are_not_cut() -> None:
    fragmented = ("-movflags", "+frag_keyframe+empty_moov")
    found = await probed(made("a.mp4", *picture(), *sound(), *X264, *AAC, *fragmented))
    assert found.source.video.frames == 50 and not found.source.cuttable


async def test_several_tracks() -> None:
    tracks = ("-map", "0:v", "-map", "1:v", "-map", "2:a", "-map", "2:a", "-c:v", "libx264", *AAC)
    marks = (
        "-disposition:v:0",
        "0",
        "-disposition:v:1",
        "default",
        "-disposition:a:0",
        "0",
        "-disposition:a:1",
        "default",
    )
    names = ("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger", "-metadata:s:a:1", "title=Deutsch")
    file = made("a.mkv", *picture(), *picture(size="320x240"), *sound(), *tracks, *marks, *names)
    source = (await probed(file)).source
    assert (source.video.index, source.video.width) == (1, 320)
    assert [(track.index, track.language, track.title, track.default) for track in source.audio] == [
        (2, "eng", None, False),
        (3, "ger", "Deutsch", True),
    ]


async def test_text_subtitles(tmp_path: Path) -> None:
    text = tmp_path / "a.srt"
    text.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    file = made("a.mp4", *picture(), "-i", str(text), *X264, "-c:s", "mov_text", "-metadata:s:s:0", "language=eng")
    assert [(track.codec, track.language) for track in (await probed(file)).source.text] == [("mov_text", "eng")]


async def test_a_single_frame() -> None:
    found = await probed(made("a.mp4", *picture("24", 0.04), *X264))
    assert (found.source.video.frames, found.source.video.frame_rate) == (1, Fraction(24))


async def test_sound_only_and_sound_with_a_cover() -> None:
    assert (await refused(made("a.m4a", *sound(), *AAC))).code == "input_no_video_stream"
    cover = made("a.png", *picture(seconds=0.04), "-frames:v", "1")
    both = ("-map", "0:a", "-map", "1:v", "-c:v", "copy", "-disposition:v:0", "attached_pic")
    assert (await refused(made("b.m4a", *sound(), "-i", str(cover), *both, *AAC))).code == "input_no_video_stream"


async def test_a_still_picture_as_gif_is_no_video() -> None:
    error = await refused(made("a.gif", *picture(seconds=0.04), "-frames:v", "1"))
    assert error.code == "input_not_video" and "picture" in error.message


FIRST = ("-movflags", "+faststart")
CUT = {"first.mp4": FIRST, "last.mp4": (), "a.mkv": (), "a.flv": (), "a.mov": FIRST, "a.avi": ()}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("share", [0.3, 0.9])
async def test_what_stops_short_of_its_own_promise(tmp_path: Path, name: str, share: float) -> None:
    whole = made(name, *picture(seconds=20), *sound(20), *X264, "-g", "25", *AAC, *CUT[name]).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(whole[: int(len(whole) * share)])
    error = await refused(cut)
    assert error.code == "input_truncated", error.detail


async def test_a_transport_stream_promises_nothing_so_what_is_there_is_taken(tmp_path: Path) -> None:
    whole = made("a.ts", *picture(seconds=8), *sound(8), *X264, *AAC).read_bytes()
    cut = tmp_path / "cut.ts"
    cut.write_bytes(whole[: len(whole) // 2])
    assert 2 < (await probed(cut)).source.duration < 6


async def test_encrypted() -> None:
    key = ("-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb", "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8")
    file = made("a.mp4", *picture(), *X264, "-encryption_scheme", "cenc-aes-ctr", *key)
    assert (await refused(file)).code == "input_encrypted"


async def test_too_long_and_too_large() -> None:
    file = made("a.mp4", *picture(), *X264)
    short = ProbeLimits(seconds=60, memory_bytes=8 * 2**30, max_duration=1.5, max_pixels=4_000_000)
    assert (await refused(file, short)).code == "input_too_long"
    small = ProbeLimits(seconds=60, memory_bytes=8 * 2**30, max_duration=60, max_pixels=10_000)
    error = await refused(file, small)
    assert error.code == "input_too_large" and "160×120" in error.message


async def test_rubbish_where_the_pictures_should_be(tmp_path: Path) -> None:
    whole = bytearray(made("a.mp4", *picture(), *X264).read_bytes())
    start = whole.index(b"mdat") + 4
    size = int.from_bytes(whole[start - 8 : start - 4]) - 8
    whole[start : start + size] = b"\xa5" * size
    file = tmp_path / "rubbish.mp4"
    file.write_bytes(whole)
    error = await refused(file)
    assert error.code == "input_damaged"
    assert str(tmp_path) not in error.detail, "no paths of ours"


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"\0\0\0\x20ftypisom" + b"\0" * 5000, "input_damaged"),
        (bytes.fromhex("1A45DFA3") + b"\xff" * 5000, "input_damaged"),
        (b"FLV\x01\x05\0\0\0\x09\0\0\0\0", "input_not_video"),
        (b"RIFF\x10\0\0\0AVI " + b"\0" * 100, "input_damaged"),
    ],
)
async def test_a_header_and_nothing_behind_it(tmp_path: Path, head: bytes, code: str) -> None:
    file = tmp_path / "a"
    file.write_bytes(head)
    assert (await refused(file)).code == code


async def test_sample_data_in_other_files_is_never_read(tmp_path: Path) -> None:
    """A MOV may say that its samples lie in another file of this machine; that file is not opened."""
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(made("a.mp4", *picture(), *X264).read_bytes())
    whole = bytearray(made("b.mov", *picture(), *X264, *FIRST).read_bytes())
    self_contained = whole.index(b"url \0\0\0\1")
    whole[self_contained + 4 : self_contained + 8] = b"\0\0\0\0"
    whole[self_contained : self_contained + 4] = b"alis"
    file = tmp_path / "b.mov"
    file.write_bytes(whole)
    # The flag is gone but no readable alias is there: either its own data is used, or it is refused; nothing else is read.
    try:
        assert (await probed(file)).source.video.frames == 50
    except PermanentError as error:
        assert error.code.startswith("input_")

"""Pictures of every odd kind, through probe, plan and parts: what comes out is what a player shows."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest

from services.fetcher.plan.plan import make_plan
from services.fetcher.probe.facts import Probed
from services.fetcher.probe.probe import Probe
from services.fetcher.probe.remux import Remux
from shared.events import Fetched
from shared.media.tools import ffmpeg_path, ffprobe_path
from tests.support import clips, frames
from tests.support.clips import X264, made, numbered
from tests.support.parts import JOB, ORG, PROBE_LIMITS, encode, fetched, probed
from tests.support.patches import code, patches, picture

FIELD = Path("../shared/media/field")
FFV1 = ("-c:v", "ffv1")
SKIN = (0.80, 0.60, 0.50)
WEAVE = "tinterlace=interleave_{first},setfield=prog"


def lavfi(graph: str, *options: str, suffix: str = "mkv") -> Path:
    return made(f"clip.{suffix}", "-f", "lavfi", "-i", graph, *options)


def joined(first: Path, second: Path, folder: Path) -> Path:
    """Two transport streams, one after the other, as ``cat`` does it."""
    target = folder / f"joined{first.suffix}"
    target.write_bytes(first.read_bytes() + second.read_bytes())
    return target


def moved(file: Path, folder: Path) -> tuple[Fetched, Path]:
    """What a fetcher would say of a file that it would rather have in another container, and where that one is."""
    copy = folder / f"source{file.suffix}"
    copy.write_bytes(file.read_bytes())
    probe = Probe(ffprobe_path(), ffmpeg_path(), PROBE_LIMITS)
    remux = Remux(ffmpeg_path(), probe, seconds=60, memory_bytes=8 * 2**30)

    async def fetch() -> Probed:
        return await remux(copy, await probe(copy), has_room=lambda _: True)

    with ThreadPoolExecutor(1) as beside:
        found = beside.submit(lambda: asyncio.run(fetch())).result()
    plan, warnings = make_plan(found.source, found.index, ("144p",), "fast", window=900)
    event = Fetched(org=ORG, job=JOB, source=found.source, plan=plan, warnings=found.warnings + warnings)
    return event, folder / found.source.file


# A white square on a transparent ground whose hidden colour is a bright red.
HIDDEN = "color=red:s=144x144:r=25:d=0.2,format={rgb},drawbox=x=48:w=48:h=144:color=white:t=fill:replace=1"
MASK = "color=black:s=144x144:r=25:d=0.2,drawbox=x=48:w=48:h=144:color=white:t=fill,format=gray"
CLEAR = f"{HIDDEN.format(rgb='rgb24')}[a];{MASK}[b];[a][b]alphamerge"
TRANSPARENT = {
    "prores": ("mov", ("-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le")),
    "qtrle": ("mov", ("-c:v", "qtrle", "-pix_fmt", "argb")),
    "png": ("mov", ("-c:v", "png", "-pix_fmt", "rgba")),
    "gif": ("gif", ("-vf", "split[a][b];[a]palettegen=reserve_transparent=1[c];[b][c]paletteuse")),
    "vp8": ("webm", ("-c:v", "libvpx", "-auto-alt-ref", "0", "-pix_fmt", "yuva420p", "-b:v", "2M")),
    "vp9": ("webm", ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-pix_fmt", "yuva420p", "-b:v", "2M")),
    "ffv1": ("mkv", (*FFV1, "-pix_fmt", "yuva420p")),
}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_what_is_transparent_is_black_and_shows_no_hidden_colour(name: str, tmp_path: Path) -> None:
    suffix, options = TRANSPARENT[name]
    file = lavfi(CLEAR, *options, suffix=suffix)
    left, middle, right = patches(encode(fetched(file), file, tmp_path).join("144p"), 3)
    for clear in (left, right):
        assert clear[0] <= 20 and abs(clear[1] - 128) <= 4 and abs(clear[2] - 128) <= 4
    assert middle[0] >= 228


CODECS = {
    "ffv1": ("avi", FFV1),
    "huffyuv": ("avi", ("-c:v", "huffyuv", "-pix_fmt", "yuv422p")),
    "mjpeg": ("avi", ("-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj422p")),
    "mpeg4": ("avi", ("-c:v", "mpeg4", "-q:v", "2")),
    "rawvideo": ("avi", ("-c:v", "rawvideo", "-pix_fmt", "yuv420p")),
}


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("first", ["top", "bottom", None])
def test_fields_that_nothing_tells_of_are_seen(name: str, first: str | None) -> None:
    suffix, encoder = CODECS[name]
    picture = WEAVE.format(first=first) if first else "null"
    file = lavfi(f"testsrc2=s=180x576:r=50:d=1,{picture}", *encoder, suffix=suffix)
    video = probed(file).source.video
    assert video.interlaced == (first is not None)
    assert not first or video.top_field_first == (first == "top")
    assert video.frame_rate == (25 if first else 50)


def test_measured_fields_become_frames(tmp_path: Path) -> None:
    picture = f"scale=180:576:flags=neighbor,{WEAVE.format(first='bottom')}"
    file = numbered("60000/1001", seconds=7, sound_seconds=0, picture=picture, encoder=FFV1, suffix="avi")
    event = fetched(file)
    assert event.plan.frame_rate == Fraction(60000, 1001)
    assert frames.numbers(encode(event, file, tmp_path).join("144p")) == list(range(event.plan.frames))


@pytest.mark.parametrize("top_first", [True, False])
def test_ntsc_fields_become_frames(top_first: bool, tmp_path: Path) -> None:
    file = clips.interlaced(top_first=top_first, rate="60000/1001", seconds=7)
    event = fetched(file)
    assert event.plan.frame_rate == Fraction(60000, 1001) and len(event.plan.video) == 2
    assert frames.numbers(encode(event, file, tmp_path).join("144p")) == list(range(event.plan.frames))


def ts(seconds: float, size: str, *options: str, start: float = 0, picture: str = "null") -> Path:
    output = ("-output_ts_offset", str(start), *options)
    return numbered("25", seconds=seconds, sound_seconds=0, size=size, picture=picture, output=output, suffix="ts")


@pytest.mark.parametrize("other", ["426x240", "192x144"], ids=["larger", "squeezed"])
def test_a_size_that_changes_in_the_middle_changes_no_frame_and_no_time(other: str, tmp_path: Path) -> None:
    file = joined(ts(8, "256x144"), ts(8, other, start=8), tmp_path)
    expected = [*range(200), *range(200)]
    event, source = moved(file, tmp_path)
    assert event.source.demuxer == "mov" and len(event.plan.video) == 3
    made_of_parts = encode(event, source, tmp_path / "parts").join("144p")
    assert frames.numbers(made_of_parts) == expected
    assert frames.geometry(made_of_parts) == (256, 144, "1:1")
    whole = encode(fetched(file, whole=True), file, tmp_path / "whole").join("144p")
    assert frames.numbers(whole) == expected


@pytest.mark.parametrize("seconds", [(1, 3), (1, 12)], ids=["short", "moved into another container"])
def test_a_small_beginning_does_not_make_the_film_small(seconds: tuple[int, int], tmp_path: Path) -> None:
    first, second = seconds
    file = joined(ts(first, "128x72"), ts(second, "256x144", start=first), tmp_path)
    event, source = moved(file, tmp_path)
    assert (event.source.video.width, event.source.video.height) == (256, 144)
    result = encode(event, source, tmp_path / "parts").join("144p")
    assert frames.numbers(result)[-25 * second :] == list(range(25 * second))
    assert len(frames.packets(result)) == 25 * (first + second) == event.plan.frames
    assert frames.geometry(result) == (256, 144, "1:1")


@pytest.mark.skipif(not FIELD.is_dir(), reason="needs the files from the field")
def test_a_recording_that_ramps_up() -> None:
    rungs = fetched(FIELD / "ramp_180p_to_720p.webm", ("720p", "360p")).plan.rungs
    assert [(rung.width, rung.height) for rung in rungs] == [(1280, 720), (640, 360)]


def test_another_shape_gets_bars_and_other_colours_are_converted(tmp_path: Path) -> None:
    """As when a telephone is turned in the middle of a live stream, and its encoder begins anew."""
    second = code(SKIN, "smpte170m", full=True), code(SKIN, "bt709")
    plain = "setparams=colorspace={}:color_primaries=bt709:color_trc=bt709:range={},scale={}:flags=neighbor"
    wide = picture([second[1]] * 2, "yuv420p", "-vf", plain.format("bt709", "limited", "256:144"), *X264, suffix="ts")
    tall = picture(
        [second[0]] * 2, "yuv420p", "-vf", plain.format("smpte170m", "full", "144:256"), *X264,
        "-output_ts_offset", "0.2", suffix="ts",
    )  # fmt: skip
    file = joined(wide, tall, tmp_path)
    event = fetched(file)
    result = encode(event, file, tmp_path).join("144p")
    assert len(frames.packets(result)) == event.plan.frames == 10
    for skip, bars in (("0", False), ("0.2", True)):
        left, middle, right = patches(made("half.mkv", "-ss", skip, "-i", str(result), *FFV1), 3)
        assert max(abs(ours - its) for ours, its in zip(middle, code(SKIN, "bt709"), strict=True)) <= 4
        assert (left[0] <= 18 and right[0] <= 18) == bars


def test_a_clock_that_wraps_in_the_middle_makes_no_jump(tmp_path: Path) -> None:
    """The clock of a transport stream has 33 bits of 90 kHz, and begins anew after 26.5 hours."""
    file = numbered("25", seconds=14, suffix="ts", output=("-output_ts_offset", str(2**33 / 90_000 - 6)))
    found = probed(file)
    assert found.source.video.frames == 350 and found.source.duration == pytest.approx(14, abs=0.1)
    assert not found.warnings
    # The end is on the new round, and so the beginning before zero.
    assert found.source.video.start < 0 < found.source.video.end
    event, source = moved(file, tmp_path)
    assert len(event.plan.video) == 3
    for each, path, root in ((event, source, "moved"), (fetched(file), file, "kept")):
        result = encode(each, path, tmp_path / root)
        assert frames.numbers(result.join("144p")) == list(range(350))
        flashes = frames.flashes(frames.pictures(result.join("144p")), 0.04)
        beeps = frames.beeps(result.join(each.plan.audio[0].folder))
        assert [round(beep - flash, 1) for beep, flash in zip(beeps, flashes, strict=True)] == [0] * 7


def test_a_transport_stream_that_begins_inside_a_gop_begins_with_its_first_whole_picture(tmp_path: Path) -> None:
    whole = numbered("25", seconds=14, sound_seconds=0, suffix="ts").read_bytes()
    file = tmp_path / "cut.ts"
    file.write_bytes(whole[len(whole) // 188 // 10 * 188 :])
    event, source = moved(file, tmp_path)
    shown = frames.numbers(encode(event, source, tmp_path / "parts").join("144p"))
    assert shown == list(range(48, 350))


@pytest.mark.parametrize("sound", [0, 0.2])
@pytest.mark.parametrize(("rate", "seconds", "count"), [("25", 0.04, 1), ("25", 0.2, 5), ("120", 0.2, 12)])
def test_the_shortest_clips_are_whole(rate: str, seconds: float, count: int, sound: float, tmp_path: Path) -> None:
    file = numbered(rate, seconds=seconds, sound_seconds=sound)
    event = fetched(file)
    result = encode(event, file, tmp_path)
    shown = frames.numbers(result.join("144p"))
    # The last picture stays while there is sound, and every other one of 120 is left out.
    assert shown[:count] == list(range(0, count * (2 if rate == "120" else 1), 2 if rate == "120" else 1))
    assert len(shown) == event.plan.frames >= count and set(shown[count:]) <= {shown[count - 1]}
    assert bool(event.plan.audio) == bool(sound)


@pytest.mark.parametrize(("pixel_format", "encoder"), [("yuv444p", X264), ("yuv420p", FFV1), ("yuv411p", FFV1)])
def test_an_odd_size_becomes_even(pixel_format: str, encoder: tuple[str, ...], tmp_path: Path) -> None:
    size = f"format={pixel_format},crop=853:481:exact=1"
    file = numbered("25", seconds=0.4, sound_seconds=0, size="854x482", picture=size, encoder=encoder, suffix="mkv")
    event = fetched(file)
    assert (event.source.video.width, event.source.video.height) == (853, 481)
    result = encode(event, file, tmp_path).join("144p")
    assert frames.numbers(result) == list(range(10))
    assert frames.geometry(result) == (256, 144, "1:1")


def test_hours_of_one_picture_a_second_are_planned_in_a_moment(tmp_path: Path) -> None:
    """As a lecture's slides are recorded. A part of it is encoded."""
    still = "color=teal:s=32x32:r=1:d=10800"
    file = lavfi(still, "-c:v", "libx264", "-preset", "ultrafast", "-g", "600", suffix="mp4")
    event = fetched(file)
    assert event.plan.frame_rate == Fraction(1)
    assert (event.plan.frames, event.plan.gop_frames) == (10_800, 2)
    assert len(event.plan.video) <= 900
    first, last = event.plan.video[0], event.plan.video[-1]
    assert last.first_frame + last.frames == 10_800
    few = event.model_copy(update={"plan": event.plan.model_copy(update={"video": (first, last)})})
    made_of = encode(few, file, tmp_path)
    assert [len(track.durations) for _, track in made_of.tracks("144p")] == [
        -(-part.frames // 6) for part in (first, last)
    ]


def test_cover_art_is_no_film_and_a_second_film_is_told(tmp_path: Path) -> None:
    film = numbered("25", seconds=2)
    cover = made("cover.jpg", "-f", "lavfi", "-i", "color=red:s=640x640", "-frames:v", "1")
    inputs = ("-i", str(cover), "-i", str(film), "-map", "0:v", "-map", "1", "-c", "copy")
    with_cover = made("cover.mp4", *inputs, "-disposition:v:0", "attached_pic")
    event = fetched(with_cover)
    assert (event.source.video.codec, probed(with_cover).warnings) == ("h264", ())
    assert frames.numbers(encode(event, with_cover, tmp_path).join("144p")) == list(range(50))
    other = made("other.mkv", "-f", "lavfi", "-i", "testsrc=s=64x64:r=25:d=2", *X264)
    two = made("two.mkv", "-i", str(film), "-i", str(other), "-map", "0", "-map", "1", "-c", "copy")
    [warning] = probed(two).warnings
    assert warning.code == "video_track_dropped" and "another video track" in warning.message

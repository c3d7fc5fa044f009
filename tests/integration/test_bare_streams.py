"""Streams without a container, and those cut out of a longer one: every frame at its own time, and no more of them."""

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from shared.media.tools import ffmpeg_path
from tests.support import frames
from tests.support.clips import made, numbered, written, x264
from tests.support.parts import encode, fetched, probed
from tests.support.program_stream import cut, times_of_intra_pictures_only

FIELD = Path("../shared/media/field")
CODECS = {
    "h264": (*x264("keyint=24:bframes=2"),),
    "hevc": ("-c:v", "libx265", "-x265-params", "log-level=none"),
    "m2v": ("-c:v", "mpeg2video", "-bf", "2"),
    "m1v": ("-c:v", "mpeg1video"),
    "m4v": ("-c:v", "mpeg4", "-f", "m4v"),
    "ivf": ("-c:v", "libvpx", "-deadline", "realtime"),
}
RATES = {"h264": ("12", "30000/1001"), "hevc": ("60",), "m2v": ("24000/1001",), "m1v": ("60",)}


def chart(rate: str, seconds: float = 2) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size=128x96:rate={rate}:duration={seconds}", "-pix_fmt", "yuv420p")


@pytest.mark.parametrize(("suffix", "rate"), [(name, rate) for name in CODECS for rate in RATES.get(name, ("15",))])
def test_the_rate_is_the_streams_own(suffix: str, rate: str) -> None:
    file = made(f"a.{suffix}", *chart(rate, 1), *CODECS[suffix])
    video = probed(file).source.video
    assert (video.frame_rate, video.variable_rate) == (Fraction(rate), False)
    assert video.end - video.start == video.frames / video.frame_rate
    plan = fetched(file).plan
    assert (plan.frames, plan.frame_rate) == (video.frames, video.frame_rate)


def test_av1_that_tells_its_rate() -> None:
    told = ("-bsf:v", "av1_metadata=tick_rate=12:num_ticks_per_picture=1", "-f", "obu")
    file = made("a.obu", *chart("12", 1), "-c:v", "libsvtav1", "-svtav1-params", "preset=12", *told)
    assert probed(file).source.video.frame_rate == 12


@pytest.mark.parametrize("rate", ["12", "60"])
def test_every_frame_is_shown_once(rate: str, tmp_path: Path) -> None:
    bare = numbered(rate, seconds=2, sound_seconds=0, suffix="h264", encoder=x264("bframes=3"))
    assert frames.numbers(encode(fetched(bare), bare, tmp_path).join("144p")) == list(range(2 * int(rate)))


@pytest.mark.parametrize("suffix", ["h264", "hevc"])
def test_frames_that_cannot_be_decoded_are_not_planned(suffix: str, tmp_path: Path) -> None:
    whole = numbered("25", seconds=2.8, sound_seconds=0, suffix=suffix, encoder=(*CODECS[suffix], "-g", "24"))
    file = without_first_picture(whole)
    event = fetched(file)
    shown = frames.numbers(encode(event, file, tmp_path).join("144p"))
    assert shown == list(range(70 - event.plan.frames, 70))
    assert 40 <= event.plan.frames <= 46


def without_first_picture(file: Path) -> Path:
    """Parameter sets, and then the pictures from the second one on, which nothing can be made of without the first."""
    pieces = file.read_bytes().split(b"\0\0\1")
    hevc = file.suffix == ".hevc"
    first = next(n for n, piece in enumerate(pieces) if n and _is_slice(piece[0], hevc=hevc))
    return written(file.name, b"\0\0\1".join([*pieces[:first], *pieces[first + 1 :]]))


def _is_slice(head: int, *, hevc: bool) -> bool:
    return head >> 1 & 63 < 32 if hevc else head & 31 in (1, 5)


@pytest.mark.parametrize("times", ["all", "of intra pictures"])
@pytest.mark.parametrize(("begin", "end"), [(0.13, 1), (0, 0.7)])
def test_a_program_stream_cut_anywhere_has_no_frozen_tail(times: str, begin: float, end: float) -> None:
    options = ("-f", "vob", "-c:v", "mpeg2video", "-bf", "2", "-g", "24", "-b:v", "500k")
    whole = made("a.mpg", *chart("25", 6), *options)
    if times != "all":
        whole = times_of_intra_pictures_only(whole)
    file = cut(whole, begin, end)
    video = probed(file).source.video
    shown = decoded_times(file)
    assert (float(video.start), float(video.end)) == pytest.approx((shown[0], shown[-1] + 0.04), abs=0.025)
    assert video.frames == len(shown)


def decoded_times(file: Path) -> list[float]:
    """When the frames begin that come out of ffmpeg, in seconds."""
    argv = [ffmpeg_path(), "-v", "quiet", "-copyts", "-i", str(file), "-fps_mode", "passthrough"]
    argv += ["-enc_time_base", "1/90000", "-f", "framecrc", "-"]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return [int(line.split(",")[2]) / 90_000 for line in lines if not line.startswith("#")]


@pytest.mark.skipif(not FIELD.is_dir(), reason="needs the files from the field")
@pytest.mark.parametrize(
    ("name", "rate"), [("raw12.h264", 12), ("raw30.h264", 30), ("raw60.h264", 60), ("raw60.hevc", 60)]
)
def test_raw_captures(name: str, rate: int) -> None:
    plan = fetched(FIELD / name).plan
    assert plan.frame_rate == rate and plan.duration == 6

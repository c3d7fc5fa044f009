"""From ffmpeg's fragmented files to segments with absolute times."""

import struct
from array import array
from fractions import Fraction
from pathlib import Path

import pytest

from services.fetcher.plan.plan import make_plan
from services.fetcher.probe.index import VideoIndex
from services.transcoder.packaging import (
    Shown,
    TooShort,
    WrongResult,
    audio_boundaries,
    audio_segments,
    read_shown,
    video_segments,
)
from shared.media.codecs.aac import AAC_FRAME
from shared.media.plan import Plan
from shared.media.result import SegmentTable
from shared.media.source import AudioTrack, Source, VideoTrack
from shared.mp4.bmff import Fragment, MalformedMedia, find, read_movie
from shared.mp4.cmaf import segment_type
from tests.support.boxes import audio_entry, box, init_segment, raw_fragment


def planned(frames: int = 400, rate: Fraction = Fraction(25)) -> Plan:
    pts = array("q", range(frames))
    audio = AudioTrack(index=1, codec="aac", channels=2, sample_rate=48000, start=0, end=float(frames / rate))
    video = VideoTrack(
        index=0, codec="h264", pixel_format="yuv420p", width=426, height=240, time_base=1 / rate, start_pts=0,
        end_pts=frames, frames=frames, frame_rate=rate,
    )  # fmt: skip
    source = Source(demuxer="mov", file="film", bytes=1, duration=1, video=video, audio=(audio,))
    return make_plan(source, VideoIndex(pts, pts[::50], ()), ("240p",), "fast", window=4)[0]


PLAN = planned()
PART = PLAN.video[1]
RUNG = PLAN.rungs[0]


IDR = 5


def nal(kind: int, payload: bytes) -> bytes:
    """A NAL unit in a sample."""
    return struct.pack(">IB", 1 + len(payload), kind) + payload


def gop(
    first: int, frames: int, *, offsets: tuple[int, ...] = (0, 3000, 0, -1000), sync: bool = True, at: int | None = None
) -> bytes:
    """A GOP as ffmpeg writes it, its times counted from the part's start; every sample says which frame it is."""
    samples = [
        nal(IDR if number == 0 else 1, struct.pack(">I", first + number) * (1 + number % 3)) for number in range(frames)
    ]
    shifts = [offsets[number % len(offsets)] for number in range(frames)]
    time = first * 1000 if at is None else at
    return raw_fragment(samples, decode_time=time, duration=1000, offsets=shifts, sync=sync)


def cut(tmp_path: Path, *fragments: bytes, timescale: int = 25_000) -> SegmentTable:
    file = tmp_path / "240p.mp4"
    file.write_bytes(init_segment(timescale=timescale) + b"".join(fragments))
    return video_segments(file, tmp_path, PLAN, PART, RUNG)


def segment(tmp_path: Path, name: str) -> tuple[Fragment, ...]:
    data = (tmp_path / name).read_bytes()
    assert data.startswith(segment_type(last=False))
    return read_movie(init_segment(timescale=25_000) + data).fragments


def test_a_part_becomes_a_segment_with_absolute_times(tmp_path: Path) -> None:
    assert (PART.first_frame, PART.frames, PART.first_segment) == (150, 150, 1)
    result = cut(tmp_path, gop(0, 50), gop(50, 50), gop(100, 50))
    assert [path.name for path in (tmp_path / "240p").iterdir()] == ["video_00001.m4s"]
    assert (result.folder, result.timescale, result.first_segment, result.frames) == ("240p", 25_000, 1, 150)
    assert result.durations == (150_000,)
    assert result.sizes == ((tmp_path / "240p" / "video_00001.m4s").stat().st_size,)
    fragments = segment(tmp_path, "240p/video_00001.m4s")
    assert [fragment.decode_time for fragment in fragments] == [150_000, 200_000, 250_000]
    assert all(set(fragment.durations) == {1000} and fragment.sync for fragment in fragments)
    # Two frames are added to every composition offset, so that none is negative.
    assert fragments[0].offsets[:4] == (2000, 5000, 2000, 1000)


def test_the_header_takes_the_reordering_back_with_an_edit_list(tmp_path: Path) -> None:
    result = cut(tmp_path, gop(0, 50), gop(50, 50), gop(100, 50))
    edit = find(result.init, b"moov", b"trak", b"edts", b"elst")
    assert struct.unpack_from(">i", result.init, edit.body + 12) == (2000,)
    assert result.codecs == "avc1.640015"


def test_ranges_of_key_frames_reach_from_the_fragment_to_the_end_of_its_first_sample(tmp_path: Path) -> None:
    result = cut(tmp_path, gop(0, 50), gop(50, 50), gop(100, 50))
    data = (tmp_path / "240p" / "video_00001.m4s").read_bytes()
    for number, (offset, length, ticks) in enumerate(result.iframes[0]):
        assert data[offset + 4 : offset + 8] == b"moof"
        assert data[offset + length - 4 : offset + length] == struct.pack(">I", number * 50)
        assert ticks == 50_000


@pytest.mark.parametrize(
    ("fragments", "reason"),
    [
        ((gop(0, 50), gop(50, 50)), "100 frames instead of 150"),
        ((gop(0, 50), gop(50, 50), gop(100, 51)), "151 frames instead of 150"),
        ((gop(0, 60), gop(60, 40), gop(100, 50)), "a GOP of 60 frames instead of 50 at frame 0"),
        ((gop(0, 50), gop(50, 50, sync=False), gop(100, 50)), "a GOP of 50 frames instead of 50 at frame 50"),
        ((gop(0, 50), gop(50, 50, at=51_000), gop(100, 50)), "decode time 51000 at frame 50"),
        ((gop(0, 50, offsets=(1000, 0)), gop(50, 50), gop(100, 50)), "decode time 0 at frame 0"),
        ((gop(0, 50, offsets=(0, -3000)), gop(50, 50), gop(100, 50)), "reordered over more than 2 at frame 0"),
    ],
)
def test_what_is_not_as_planned_is_refused(tmp_path: Path, fragments: tuple[bytes, ...], reason: str) -> None:
    with pytest.raises(WrongResult, match=reason):
        cut(tmp_path, *fragments)


def test_a_key_frame_that_decoding_cannot_begin_with_is_refused(tmp_path: Path) -> None:
    recovery_point = gop(50, 50).replace(nal(IDR, struct.pack(">I", 50)), nal(1, struct.pack(">I", 50)))
    with pytest.raises(WrongResult, match="a GOP of 50 frames instead of 50 at frame 50"):
        cut(tmp_path, gop(0, 50), recovery_point, gop(100, 50))


def test_another_codec_than_planned_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "240p.mp4"
    file.write_bytes(init_segment(box(b"hvc1", bytes(78))) + gop(0, 50) + gop(50, 50) + gop(100, 50))
    with pytest.raises(WrongResult, match="b'hvc1' instead of h264"):
        video_segments(file, tmp_path, PLAN, PART, RUNG)


def test_missing_frames_are_the_sources_fault(tmp_path: Path) -> None:
    with pytest.raises(TooShort):
        cut(tmp_path, gop(0, 50), gop(50, 50))


def test_another_attempt_in_the_same_folder_replaces_the_first(tmp_path: Path) -> None:
    with pytest.raises(WrongResult):
        cut(tmp_path, gop(0, 50), gop(50, 50), gop(100, 51))
    cut(tmp_path, gop(0, 50), gop(50, 50), gop(100, 50))
    assert cut(tmp_path, gop(0, 50), gop(50, 50), gop(100, 50)).frames == 150


def test_another_clock_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongResult, match="timescale 30000 instead of 25000"):
        cut(tmp_path, gop(0, 50), gop(50, 50), gop(100, 50), timescale=30_000)


def test_a_half_written_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedMedia):
        cut(tmp_path, gop(0, 50), gop(50, 50), gop(100, 50)[:-1])


def sound_of(tmp_path: Path, frames: int) -> SegmentTable:
    """Audio as ffmpeg writes it: the first frame primes the decoder; every frame says which one it is."""
    samples = [struct.pack(">I", number) for number in range(frames)]
    fragments = [
        raw_fragment(samples[begin : begin + 300], decode_time=begin * AAC_FRAME, duration=AAC_FRAME)
        for begin in range(0, frames, 300)
    ]
    file = tmp_path / "audio.mp4"
    file.write_bytes(init_segment(audio_entry(), timescale=48_000) + b"".join(fragments))
    return audio_segments(file, tmp_path, PLAN, PLAN.audio[0])


def test_sound_begins_with_its_priming_which_an_edit_list_hides_and_is_cut_along_the_picture(tmp_path: Path) -> None:
    # 400 frames of 40 ms are 16 s: 750 AAC frames, and segments of 6, 6 and 4 s.
    result = sound_of(tmp_path, 752)
    assert result.frames == 751
    assert result.durations == tuple(frames * AAC_FRAME for frames in (1 + 281, 281, 188))
    assert result.priming == AAC_FRAME
    assert result.codecs == "mp4a.40.2"
    assert (result.totals.frames, result.totals.seconds) == (751, 16.0)
    edit = find(result.init, b"moov", b"trak", b"edts", b"elst")
    assert struct.unpack_from(">IIIiI", result.init, edit.body) == (0, 1, 0, AAC_FRAME, 1 << 16)
    carried: list[int] = []
    for number, size in enumerate(result.sizes):
        data = (tmp_path / result.folder / f"audio_{number:05d}.m4s").read_bytes()
        assert len(data) == size
        assert data.startswith(segment_type(last=number == 2))
        [fragment] = read_movie(init_segment(audio_entry(), timescale=48_000) + data).fragments
        assert fragment.decode_time == len(carried) * AAC_FRAME
        begin = find(data, b"mdat").body
        carried += struct.unpack(f">{len(fragment.sizes)}I", data[begin : begin + sum(fragment.sizes)])
        group = find(data, b"moof", b"traf", b"sbgp")
        assert data[group.body + 4 : group.end] == b"roll" + struct.pack(">III", 1, len(fragment.sizes), 1)
    assert carried == list(range(751))


def test_too_little_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongResult, match="749 audio frames instead of 750"):
        sound_of(tmp_path, 750)


@pytest.mark.parametrize("rate", ["24000/1001", "25", "30000/1001", "60000/1001", "1"])
def test_audio_boundaries_stay_beside_those_of_the_picture(rate: str) -> None:
    plan = planned(1000, Fraction(rate))
    frames = -(-(plan.duration * 48000 / AAC_FRAME).numerator // (plan.duration * 48000 / AAC_FRAME).denominator)
    cuts = audio_boundaries(plan, plan.audio[0], frames)
    assert len(cuts) == plan.segments
    assert [begin for begin, _ in cuts] == [0, *(end for _, end in cuts[:-1])]
    assert cuts[-1][1] == frames
    for number, (begin, _) in enumerate(cuts):
        exact = number * plan.segment_frames / plan.frame_rate * 48000 / AAC_FRAME
        assert 0 <= exact - begin < 1


def test_a_last_segment_shorter_than_an_audio_frame_still_has_one() -> None:
    # One frame at 60 a second lasts 16.7 ms, less than the 21.3 ms of an audio frame.
    # Plans of versions that cut off even that are still in logs.
    plan = planned(361, Fraction(60)).model_copy(update={"tail_frames": 0})
    cuts = audio_boundaries(plan, plan.audio[0], 283)
    assert len(cuts) == plan.segments == 2
    assert all(begin < end for begin, end in cuts)


@pytest.mark.parametrize(
    ("text", "shown"), [("512\n1024\n1536\n", Shown(512, 1536)), ("-40\n", Shown(-40, -40)), ("", None), (None, None)]
)
def test_which_frames_were_shown(tmp_path: Path, text: str | None, shown: Shown | None) -> None:
    file = tmp_path / "shown.txt"
    if text is not None:
        file.write_text(text)
    assert read_shown(file) == shown

"""The plan's arithmetic, for any source."""

import json
from array import array
from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.fetcher.plan.plan import MAX_PARTS, SHORTEST_SEGMENT, make_audio_plan, make_plan, output_rate
from services.fetcher.probe.index import VideoIndex
from services.fetcher.probe.rate import STANDARD
from services.transcoder.packaging import audio_boundaries
from shared.media.plan import Plan, Rung
from shared.media.source import AudioTrack, Source, TextTrack, VideoTrack

TIME_BASES = [Fraction(1, base) for base in (1000, 12288, 12800, 15360, 24000, 30000, 90000, 1_000_000)]


def make_source(pts: "list[int] | array[int]", rate: Fraction, time_base: Fraction, **members: Any) -> Source:
    """A 16:9 source of 480 lines with frames at these ticks; members of the source or its video track may be given."""
    of_source = {name: members.pop(name) for name in ("audio", "cuttable") if name in members}
    usual = max(1, round(1 / (rate * time_base)))
    track: dict[str, Any] = {"width": 854, "height": 480, "end_pts": pts[-1] + usual} | members
    video = VideoTrack(
        index=0, codec="h264", pixel_format="yuv420p", time_base=time_base, start_pts=pts[0], frames=len(pts),
        frame_rate=rate, **track,
    )  # fmt: skip
    return Source(demuxer="mov", file="source", bytes=1, duration=1, video=video, **of_source)


def audio(start: float, end: float, **members: Any) -> AudioTrack:
    given: dict[str, Any] = {"index": 1, "codec": "aac", "channels": 2, "sample_rate": 48000}
    return AudioTrack(start=start, end=end, **(given | members))


def constant(
    rate: Fraction, frames: int, *, time_base: Fraction | None = None, start: int = 0, gop: int = 48
) -> tuple[Source, VideoIndex]:
    """A source of constant rate."""
    base = time_base or 1 / (rate.numerator * Fraction(1000))
    frame = 1 / (rate * base)
    # To the nearest tick, in whole numbers: a long film of fractions takes a while.
    double, whole = 2 * frame.denominator, 2 * frame.numerator
    pts = array("q", (start + (number * whole + frame.denominator) // double for number in range(frames)))
    return make_source(pts, rate, base), VideoIndex(pts, pts[::gop], ())


def planned(source: Source, index: VideoIndex, *, window: int = 4, profile: str = "balanced") -> Plan:
    return make_plan(source, index, ("480p", "240p"), profile, window=window)[0]


@st.composite
def sources(draw: st.DrawFn) -> tuple[Source, VideoIndex]:
    """Any source that can be cut: any rate and clock, constant or variable, with sound before, after, or not at all."""
    rate = draw(st.sampled_from(STANDARD))
    base = draw(st.sampled_from(TIME_BASES))
    assume(rate * base <= Fraction(1, 2))
    start = draw(st.integers(-100_000, 10**9))
    step = 1 / (rate * base)
    if draw(st.booleans()):
        count = draw(st.integers(1, 900))
        pts = array("q", (start + round(number * step) for number in range(count)))
    else:
        gaps = draw(st.lists(st.integers(1, round(step * 4) + 1), max_size=400))
        pts = array("q", [start])
        for gap in gaps:
            pts.append(pts[-1] + gap)
    keys = draw(st.sets(st.integers(0, len(pts) - 1), max_size=20)) | {0}
    seconds = [float(tick * base) for tick in (pts[0], pts[-1])]
    tracks = draw(
        st.lists(
            st.tuples(st.floats(-3, 3), st.floats(-3, 9)).map(
                lambda off: audio(seconds[0] + off[0], max(seconds[1], seconds[0] + 3) + off[1])
            ),
            max_size=2,
        )
    )
    members: dict[str, Any] = {
        "interlaced": draw(st.booleans()),
        "captions": draw(st.booleans()),
        "audio": tuple(tracks),
    }
    index = VideoIndex(pts, array("q", (pts[number] for number in sorted(keys))), ())
    return make_source(pts, rate, base, **members), index


@given(sources())
def test_parts_tile_the_frames_and_the_segments_exactly(given: tuple[Source, VideoIndex]) -> None:
    plan = planned(*given)
    frame = segment = 0
    for part in plan.video:
        assert (part.first_frame, part.first_segment) == (frame, segment)
        assert part.frames > 0
        frame += part.frames
        segment += plan.segments_of(part)
        assert frame == plan.frames or part.frames == plan.segments_of(part) * plan.segment_frames
    assert frame == plan.frames
    assert segment == plan.segments
    assert len({part.name for part in plan.video}) == len(plan.video) <= MAX_PARTS


@given(sources())
def test_the_planned_frames_are_those_of_ffmpegs_constant_rate_filter(given: tuple[Source, VideoIndex]) -> None:
    source, index = given
    plan, video = planned(source, index), source.video

    def rounded(tick: int) -> int:
        """To the nearest output frame, half up, as the fps filter does with ``round=near``."""
        exact = (tick - plan.origin_pts) * video.time_base * plan.frame_rate
        return (exact + Fraction(1, 2)).__floor__()

    places = [rounded(tick) for tick in index.pts]
    for part in plan.video:
        for frame, shown in (
            (part.first_frame, part.shown_first),
            (part.first_frame + part.frames - 1, part.shown_last),
        ):
            expected = index.pts[max(0, bisect_right(places, frame) - 1)]
            assert shown == (None if video.interlaced else expected)
        first = index.pts[max(0, bisect_right(places, part.first_frame) - 1)]
        if part.first_pts is not None:
            assert part.first_pts <= first
        if part.seek is not None and part.first_pts is not None:
            assert round(Fraction(part.seek) / video.time_base) in index.keyframes
            assert round(Fraction(part.seek) / video.time_base) <= part.first_pts
    ticks = [tick for part in plan.video for tick in (part.shown_first, part.shown_last) if tick is not None]
    assert ticks == sorted(ticks)


@given(sources())
def test_the_length_is_that_of_picture_and_sound(given: tuple[Source, VideoIndex]) -> None:
    source, index = given
    plan, video = planned(source, index), source.video
    begins = min([float(video.start), *(track.start for track in source.audio)])
    ends = max([float(video.end), *(track.end for track in source.audio)])
    # Less than a frame and a twentieth of a second may be cut or filled at either end.
    assert abs(float(plan.duration) - (ends - begins)) <= 2 * (float(1 / plan.frame_rate) + 0.05)
    assert begins - 0.001 <= float(plan.origin) <= float(video.start)
    own = plan.frames - sum(part.pad for part in plan.video)
    assert own == max(1, ((video.end - plan.origin) * plan.frame_rate + Fraction(1, 2)).__floor__())
    for part in plan.video:
        assert part.pad == max(0, part.first_frame + part.frames - max(own, part.first_frame))


@given(sources())
def test_the_clock_is_exact_and_the_gops_are_short(given: tuple[Source, VideoIndex]) -> None:
    plan = planned(*given)
    assert Fraction(plan.frame_ticks, plan.timescale) == 1 / plan.frame_rate
    assert plan.timescale < 2**31
    assert 1 <= plan.frame_rate <= 60
    assert Fraction(1) < plan.gop_frames / plan.frame_rate <= 2
    assert plan.segment_frames / plan.frame_rate <= 6
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_a_rung_of_the_time_before_codecs_is_h264_under_its_resolution() -> None:
    plan = planned(*constant(Fraction(25), 400))
    stored = plan.model_dump(mode="json")
    for rung in stored["rungs"]:
        del rung["name"], rung["codec"]
    read = Plan.model_validate_json(json.dumps(stored))
    assert [(rung.name, rung.codec) for rung in read.rungs] == [("480p", "h264"), ("240p", "h264")]
    assert read == plan


def test_names_of_rungs_are_unique_and_fit_into_folders_and_filters() -> None:
    stored = planned(*constant(Fraction(25), 400)).model_dump(mode="json")
    with pytest.raises(ValueError, match="two rungs of one name"):
        Plan.model_validate(stored | {"rungs": stored["rungs"][:1] * 2})
    for name in ("", "480p/..", "a]b", "480P", "-", "480p-"):
        with pytest.raises(ValueError, match="name"):
            Rung.model_validate(stored["rungs"][0] | {"name": name})


def test_what_is_left_is_the_work_from_a_part_on() -> None:
    tracks = {"audio": (audio(0, 9), audio(0, 9)), "text": (TextTrack(index=3, codec="subrip", language="en"),)}
    source, index = constant(Fraction(25), 25 * 90)
    plan = planned(source.model_copy(update=tracks), index)
    order = plan.release_order
    assert plan.work_from(order[0]) == plan.work
    for part, following in pairwise(order):
        assert plan.work_from(part) - plan.work_from(following) == pytest.approx(plan.work_of(part))
    assert plan.work_from(order[-1]) == plan.work_of(order[-1])


def test_a_plan_of_a_fixed_window_keeps_to_it() -> None:
    plan = planned(*constant(Fraction(25), 400), window=6)
    stored = plan.model_dump(mode="json")
    del stored["widest"]
    assert Plan.model_validate(stored).most_under_way == 6
    assert plan.model_copy(update={"window": 2}).most_under_way == 6


@pytest.mark.parametrize(
    ("rate", "interlaced", "expected"),
    [
        ("24", False, "24"),
        ("30000/1001", False, "30000/1001"),
        ("60", False, "60"),
        ("60000/1001", False, "60000/1001"),
        ("25", True, "50"),
        ("30000/1001", True, "60000/1001"),
        ("100", False, "50"),
        ("120", False, "60"),
        ("120000/1001", False, "60000/1001"),
        ("144", False, "48"),
        ("240", False, "60"),
        ("1/5", False, "1"),
    ],
)
def test_output_rate(rate: str, interlaced: bool, expected: str) -> None:
    source = make_source([0], Fraction(rate), Fraction(1, 90000), interlaced=interlaced)
    assert output_rate(source.video) == Fraction(expected)


@pytest.mark.parametrize(
    ("rate", "gop", "timescale", "ticks"),
    [
        ("24000/1001", 47, 24000, 1001),
        ("24", 48, 24000, 1000),
        ("25", 50, 25000, 1000),
        ("30000/1001", 59, 30000, 1001),
        ("60000/1001", 119, 60000, 1001),
        ("60", 120, 60000, 1000),
        ("1", 2, 1000, 1000),
    ],
)
def test_gops_and_ticks_of_the_usual_rates(rate: str, gop: int, timescale: int, ticks: int) -> None:
    plan = planned(*constant(Fraction(rate), 100))
    assert (plan.gop_frames, plan.segment_frames, plan.timescale, plan.frame_ticks) == (gop, 3 * gop, timescale, ticks)


@pytest.mark.parametrize(
    ("minutes", "parts"), [(0.05, 1), (0.1, 1), (0.5, 3), (1, 5), (10, 25), (60, 75), (180, 225), (24 * 60, 900)]
)
def test_a_long_film_has_long_parts(minutes: float, parts: int) -> None:
    source, index = constant(Fraction(1), round(minutes * 60), gop=2)
    assert len(planned(source, index).video) == parts


def test_rare_key_frames_make_long_parts() -> None:
    frames = 24 * 600
    dense, sparse, one = (constant(Fraction(24), frames, gop=gop) for gop in (48, 24 * 100, frames))
    assert len(planned(*dense).video) == 25
    # Key frames a hundred seconds apart: parts of 24 seconds would decode three times what they show.
    assert len(planned(*sparse).video) == 4
    assert len(planned(*one).video) == 1


def test_one_static_minute_does_not_make_a_film_one_part() -> None:
    source, index = constant(Fraction(24), 24 * 600)
    keys = array("q", (tick for tick in index.keyframes if not 100_000 < tick // 240 < 160_000))
    assert len(planned(source, VideoIndex(index.pts, keys, ())).video) == 25


def test_what_cannot_be_cut_is_one_part_with_a_warning() -> None:
    source, index = constant(Fraction(24), 24 * 60)
    plan, warnings = make_plan(source.model_copy(update={"cuttable": False}), index, ("240p",), "fast", window=4)
    assert [part.frames for part in plan.video] == [24 * 60]
    # Its time stamps may have been worked out, so there is nothing to compare them with.
    assert (plan.video[0].shown_first, plan.video[0].shown_last) == (None, None)
    assert [warning.code for warning in warnings] == ["single_part"]
    short, index = constant(Fraction(24), 24 * 5)
    _, warnings = make_plan(short.model_copy(update={"cuttable": False}), index, ("240p",), "fast", window=4)
    assert warnings == ()


def test_only_parts_after_the_first_seek_and_they_seek_to_a_key_frame() -> None:
    plan = planned(*constant(Fraction(24), 480, time_base=Fraction(1, 12288), gop=100))
    assert [(part.seek, part.first_pts) for part in plan.video] == [
        (None, None),
        (100 / 24, 144 * 512),
        (200 / 24, 288 * 512),
        (400 / 24, 432 * 512),
    ]


def test_deinterlacing_gets_two_frames_before_the_first() -> None:
    pts = array("q", range(0, 500 * 512, 512))
    source = make_source(pts, Fraction(25), Fraction(1, 12800), interlaced=True)
    plan = planned(source, VideoIndex(pts, pts[::50], ()))
    assert plan.frame_rate == 50
    assert [part.first_pts for part in plan.video] == [None, 148 * 512, 298 * 512, 448 * 512]
    assert [part.seek for part in plan.video] == [None, 4.0, 10.0, 16.0]
    assert {part.shown_first for part in plan.video} == {None}


def test_captions_get_a_second_before_the_first_frame() -> None:
    pts = array("q", range(0, 500 * 512, 512))
    source = make_source(pts, Fraction(25), Fraction(1, 12800), captions=True)
    plan = planned(source, VideoIndex(pts, pts[::50], ()))
    assert [part.first_pts for part in plan.video] == [None, 125 * 512, 275 * 512, 425 * 512]
    assert [part.seek for part in plan.video] == [None, 4.0, 10.0, 16.0]
    assert [part.shown_first for part in plan.video] == [0, 150 * 512, 300 * 512, 450 * 512]


@pytest.mark.parametrize(
    ("start", "end", "origin", "frames", "pad"),
    [
        (10.0, 20.0, 10, 240, 0),
        (9.98, 20.0, 10, 240, 0),  # priming of the encoder is no content
        (8.5, 20.0, Fraction(17, 2), 276, 0),
        (10.0, 20.03, 10, 240, 0),  # a frame or less is cut
        (10.0, 25.0, 10, 360, 120),
        (12.0, 18.0, 10, 240, 0),
    ],
)
def test_sound_before_and_after_the_picture(start: float, end: float, origin: Fraction, frames: int, pad: int) -> None:
    pts = array("q", (10_000 + round(number * 1000 / 24) for number in range(240)))
    source = make_source(pts, Fraction(24), Fraction(1, 1000), end_pts=20_000, audio=(audio(start, end),))
    plan = planned(source, VideoIndex(pts, pts[:1], ()))
    assert (plan.origin, plan.frames, sum(part.pad for part in plan.video)) == (origin, frames, pad)


def test_every_audio_track_is_a_part_of_its_own_and_sound_goes_first() -> None:
    tracks = (
        audio(0, 20, index=1, language="eng"),
        audio(0, 20, index=2, language="eng", title='Director\'s "cut"', default=True),
        audio(0, 20, index=5),
        audio(0, 20, index=6, language="und"),
    )
    source, index = constant(Fraction(24), 480)
    plan = planned(source.model_copy(update={"audio": tracks}), index)
    assert plan.release_order[:5] == ("a0", "a1", "a2", "a3", "v0000")
    assert [part.folder for part in plan.audio] == ["audio/0-en", "audio/1-en", "audio/2-und", "audio/3-und"]
    assert [part.label for part in plan.audio] == ["en", "Director's cut", "Audio", "Audio 2"]
    assert [part.default for part in plan.audio] == [False, True, False, False]
    assert [part.language for part in plan.audio] == ["en", "en", None, None]


def test_the_first_track_is_the_default_where_none_is_marked() -> None:
    source, index = constant(Fraction(24), 48)
    plan = planned(source.model_copy(update={"audio": (audio(0, 2), audio(0, 2, index=2))}), index)
    assert [part.default for part in plan.audio] == [True, False]
    spoken_about = (audio(0, 2, purpose="commentary"), audio(0, 2, index=2), audio(0, 2, index=3))
    plan = planned(source.model_copy(update={"audio": spoken_about}), index)
    assert [part.default for part in plan.audio] == [False, True, False]
    assert [part.purpose for part in plan.audio] == ["commentary", "main", "main"]


def test_every_subtitle_track_is_a_part_between_sound_and_picture() -> None:
    tracks = (
        TextTrack(index=2, codec="subrip", language="eng", forced=True),
        TextTrack(index=3, codec="ass", language="eng", default=True),
        TextTrack(index=4, codec="webvtt", language="en/../..", default=True),
        TextTrack(index=7, codec="subrip", language="und", title='\x00"'),
    )
    source, index = constant(Fraction(24), 480)
    plan = planned(source.model_copy(update={"audio": (audio(0, 20),), "text": tracks}), index)
    assert plan.release_order[:6] == ("a0", "t0", "t1", "t2", "t3", "v0000")
    assert [part.folder for part in plan.text] == ["text/0-en", "text/1-en", "text/2-und", "text/3-und"]
    assert [part.label for part in plan.text] == ["en", "en 2", "Subtitles", "Subtitles 2"]
    assert [part.default for part in plan.text] == [False, True, False, False]
    assert [part.forced for part in plan.text] == [True, False, False, False]
    assert [part.track for part in plan.text] == [2, 3, 4, 7]
    assert plan.text_part("t1") == plan.text[1]
    assert plan.text_part("a0") is None


def test_no_subtitles_are_shown_by_themselves_where_none_are_marked() -> None:
    source, index = constant(Fraction(24), 48)
    plan = planned(source.model_copy(update={"text": (TextTrack(index=2, codec="subrip"),)}), index)
    assert [part.default for part in plan.text] == [False]


def test_one_frame_is_a_film() -> None:
    plan = planned(*constant(Fraction(25), 1))
    assert (plan.frames, plan.segments, len(plan.video)) == (1, 1, 1)


@pytest.mark.parametrize("rate", [Fraction(1), Fraction(5), Fraction(30_000, 1001), Fraction(25), Fraction(60)])
@pytest.mark.parametrize("segments", [1, 2, 5])
def test_no_segment_at_the_end_is_too_short_for_players(rate: Fraction, segments: int) -> None:
    whole = planned(*constant(rate, 1)).segment_frames
    for rest in {1, 2, floor(SHORTEST_SEGMENT * rate), floor(SHORTEST_SEGMENT * rate) + 1, whole} - {0}:
        source, index = constant(rate, segments * whole + rest)
        sound = source.model_copy(update={"audio": (audio(0, float(source.video.end)),)})
        plan = planned(sound, index)
        merged = rest / rate <= SHORTEST_SEGMENT
        assert plan.segments == segments + (not merged)
        assert sum(plan.segments_of(part) for part in plan.video) == plan.segments
        first, end = plan.segment_spans[-1]
        assert SHORTEST_SEGMENT < (end - first) / rate < Fraction("6.45") and end == plan.frames
        assert all(end - first == whole for first, end in plan.segment_spans[:-1])
        # Sound is cut at the same places, to a frame of its own.
        cuts = audio_boundaries(plan, plan.audio[0], ceil(plan.duration * 48_000 / 1024))
        assert len(cuts) == plan.segments and all((end - first) * 1024 / 48_000 < 6.5 for first, end in cuts)


def test_sound_alone_has_no_short_segment_at_its_end_either() -> None:
    tracks = (audio(0, 12.05),)
    source = Source(demuxer="flac", file="source", bytes=1, duration=12.05, audio=tracks)
    plan = make_audio_plan(source, "balanced", window=4)
    assert (plan.frames, plan.segments, plan.segment_spans) == (565, 2, ((0, 281), (281, 565)))


def test_a_plan_in_the_log_of_a_version_that_cut_short_segments_keeps_them() -> None:
    plan = planned(*constant(Fraction(25), 151))
    before = Plan.model_validate(plan.model_dump(exclude={"tail_frames"}))
    assert (plan.segments, before.segments, before.segment_spans) == (1, 2, ((0, 150), (150, 151)))


def test_segment_counts_add_up() -> None:
    plan = planned(*constant(Fraction(25), 1520))
    assert plan.segments == 11
    assert [part.first_segment for part in plan.video] == [0, 2, 4, 6, 8, 10]
    assert [late.first_frame - early.first_frame for early, late in pairwise(plan.video)] == [300] * 5


def test_sound_alone_is_counted_in_frames_of_aac() -> None:
    tracks = (audio(0.5, 9.25), audio(0.25, 12.5, index=3, language="ger", default=True))
    source = Source(demuxer="flac", file="source", bytes=1, duration=12.25, audio=tracks)
    plan = make_audio_plan(source, "balanced", window=4)
    assert (plan.rungs, plan.video, plan.text, plan.stills) == ((), (), (), None)
    assert plan.release_order == ("a0", "a1")
    assert [(part.track, part.language, part.default) for part in plan.audio] == [(1, None, False), (3, "de", True)]
    assert plan.origin == Fraction(1, 4), "it begins with the sound that begins first"
    assert 0 <= plan.duration - Fraction("12.25") < Fraction(1024, 48_000)
    assert plan.frames == plan.duration * 48_000 / 1024
    assert (plan.segment_frames, plan.segments, plan.tail_frames) == (281, 2, 13)


def test_a_length_of_whole_frames_is_kept_exactly() -> None:
    begin, frames = 1105 / 44_100, 300
    track = audio(begin, begin + frames * 1024 / 48_000)
    source = Source(demuxer="mp3", file="source", bytes=1, duration=6.4, audio=(track,))
    assert make_audio_plan(source, "fast", window=4).frames == frames


def test_a_source_without_a_picture_says_so_in_its_json() -> None:
    source, _ = constant(Fraction(24), 48)
    assert Source.model_validate_json(source.model_dump_json()) == source
    assert source.model_dump()["video"]["frames"] == 48, "the member's name in the log"
    sound = Source(demuxer="flac", file="source", bytes=1, duration=1)
    assert Source.model_validate_json(sound.model_dump_json()).video_track is None
    with pytest.raises(ValueError, match="only the sound"):
        _ = sound.video

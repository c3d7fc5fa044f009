"""Cues: read as ffmpeg writes them, put on the output's clock, and cut into segments."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transcoder.text import text_segments
from services.transcoder.webvtt import CLOCK_SHIFT, Cue, read_cues, segment_files, whole_file
from shared.media.plan import Plan
from tests.support.encoded import make_plan

HEAD = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n"


def planned(origin: Fraction = Fraction(0), **options: Any) -> Plan:
    """Ten seconds at 25 frames a second, in segments of six and four seconds."""
    return make_plan(**({"frames": 250} | options)).model_copy(update={"origin": origin})


def at(seconds: float) -> str:
    """A time as ffmpeg writes it, on its shifted clock."""
    milliseconds = round((CLOCK_SHIFT + seconds) * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def written(*cues: tuple[float, float, str]) -> str:
    return "WEBVTT\n" + "".join(f"\n{at(start)} --> {at(end)}\n{text}\n" for start, end, text in cues)


def test_cues_come_out_on_the_clock_of_the_output() -> None:
    file = written((11.5, 12.25, "a\nb"), (10.7, 13, "earlier"))
    assert read_cues(file, planned(Fraction(10))) == [Cue(700, 3000, "earlier"), Cue(1500, 2250, "a\nb")]
    assert read_cues(written((-1, 2, "x")), planned(Fraction(-3, 2))) == [Cue(500, 3500, "x")]


def test_an_origin_between_milliseconds() -> None:
    assert read_cues(written((2, 3, "x")), planned(Fraction(1001, 30_000))) == [Cue(1967, 2967, "x")]


def test_what_lies_outside_is_dropped_or_cut_off() -> None:
    file = written((-3, -1, "before"), (-1, 1, "in"), (9, 12, "out"), (10, 11, "after"), (5, 6, ""))
    assert read_cues(file, planned()) == [Cue(0, 1000, "in"), Cue(9000, 10_000, "out")]


def test_what_has_no_end_stays_until_the_next_for_five_seconds_at_most() -> None:
    cues = read_cues(written((0, 0, "a"), (0, 0, "b"), (1.5, 1.5, "c"), (9, 9, "d")), planned())
    assert [(cue.start, cue.end) for cue in cues] == [(0, 1500), (0, 1500), (1500, 6500), (9000, 10_000)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Tom & Jerry", "Tom &amp; Jerry"),
        ("1 < 2 --> 3", "1 &lt; 2 --&gt; 3"),
        ("<i>so</i> <b>what</b> <u>now</u>", "<i>so</i> <b>what</b> <u>now</u>"),
        ("<font>loud</font>", "&lt;font&gt;loud&lt;/font&gt;"),
        ("one\n\ntwo\n", "one\ntwo"),
        ("m 0 0 l 100 0 100.5 -20\nshown", "shown"),
        ("m 12 is a name", "m 12 is a name"),
    ],
)
def test_texts_are_made_fit_for_a_file(text: str, shown: str) -> None:
    assert [cue.text for cue in read_cues(written((1, 2, text), (3, 4, "next")), planned())] == [shown, "next"]


def test_short_times_carriage_returns_and_a_byte_order_mark_are_read() -> None:
    file = "\ufeffWEBVTT - title\r\n\r\n59:59.999 --> 60:00.000 line:0\r\nx\r\n".replace("60:", "01:00:")
    assert read_cues(file, planned(Fraction(3599 - CLOCK_SHIFT))) == [Cue(999, 1000, "x")]


@pytest.mark.parametrize("file", ["", "1\n00:00:01,000 --> 00:00:02,000\nx\n"])
def test_anything_else_is_refused(file: str) -> None:
    with pytest.raises(ValueError, match="no WebVTT"):
        read_cues(file, planned())


def test_segments() -> None:
    cues = [Cue(0, 1000, "first"), Cue(5000, 7500, "over"), Cue(6000, 10_000, "second")]
    over = "\n00:00:05.000 --> 00:00:07.500\nover\n"
    assert segment_files(cues, planned()) == [
        f"{HEAD}\n00:00:00.000 --> 00:00:01.000\nfirst\n{over}",
        f"{HEAD}{over}\n00:00:06.000 --> 00:00:10.000\nsecond\n",
    ]
    assert segment_files([], planned()) == [HEAD, HEAD]
    assert whole_file(cues[2:]) == "WEBVTT\n\n00:00:06.000 --> 00:00:10.000\nsecond\n"
    assert "\n27:46:40.001 --> 27:46:41.000\n" in whole_file([Cue(100_000_001, 100_001_000, "late")])


@given(
    cues=st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 20_000)), max_size=6),
    frames=st.integers(1, 1200),
    rate=st.sampled_from([Fraction(25), Fraction(30_000, 1001), Fraction(24_000, 1001), Fraction(60), Fraction(1)]),
)
def test_every_cue_is_in_exactly_the_segments_that_it_touches(
    cues: list[tuple[int, int]], frames: int, rate: Fraction
) -> None:
    plan = planned(frames=frames, frame_rate=rate)
    file = written(*((start / 1000, (start + length) / 1000, f"cue {n}.") for n, (start, length) in enumerate(cues)))
    found, files = read_cues(file, plan), segment_files(read_cues(file, plan), plan)
    assert len(files) == plan.segments
    assert all(0 <= cue.start < cue.end <= plan.duration * 1000 for cue in found)
    length = 1000 * plan.segment_frames / rate
    for number, text in enumerate(files):
        for cue in found:
            touches = cue.start < (number + 1) * length and cue.end > number * length
            assert text.count(f"\n{cue.text}\n") == touches


def test_the_last_segment_has_the_cues_of_the_frames_that_are_none_of_their_own() -> None:
    plan = planned(frames=155).model_copy(update={"tail_frames": 5})
    [file] = segment_files([Cue(5900, 6100, "over"), Cue(6050, 6200, "behind"), Cue(0, 6000, "before")], plan)
    assert [file.count(text) for text in ("over", "behind", "before")] == [1, 1, 1]


def test_files_of_a_track(tmp_path: Any) -> None:
    plan = planned(texts=("en",))
    (tmp_path / "made.vtt").write_text(written((5, 7, "über")))
    track = text_segments(tmp_path / "made.vtt", tmp_path, plan, plan.text[0])
    folder = tmp_path / "text" / "0-en"
    names = [f"text_{number:05d}.vtt" for number in range(2)]
    assert sorted(path.name for path in folder.iterdir()) == ["text.vtt", *names]
    assert (track.folder, track.first_segment, track.frames, track.init) == ("text/0-en", 0, 1, b"")
    assert track.sizes == tuple((folder / name).stat().st_size for name in names)
    assert track.whole == (folder / "text.vtt").stat().st_size
    assert (track.timescale, track.durations) == (plan.timescale, (150_000, 100_000))

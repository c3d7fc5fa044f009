"""Progress out of ffmpeg's lines."""

from services.transcoder.progress_lines import FrameCounter


def test_frames_count_and_only_growth_is_progress() -> None:
    counter = FrameCounter(200)
    assert counter.fraction == 0
    assert [counter.feed(line) for line in ("frame=50", "fps=25.0", "frame=50", "frame=49", "frame=150")] == [
        True,
        False,
        False,
        False,
        True,
    ]
    assert counter.fraction == 0.75


def test_sound_is_counted_by_its_time() -> None:
    counter = FrameCounter(20.0, by_time=True)
    assert counter.feed("out_time_us=5000000")
    assert not counter.feed("frame=7")
    assert counter.fraction == 0.25


def test_nothing_known_yet_is_no_progress() -> None:
    counter = FrameCounter(10, by_time=True)
    assert not counter.feed("out_time_us=N/A")
    assert not counter.feed("out_time_us=-21333")
    assert not counter.feed("")
    assert not counter.feed("progress=continue")
    assert counter.fraction == 0


def test_more_than_planned_is_not_more_than_all() -> None:
    counter = FrameCounter(10)
    counter.feed("frame=12")
    assert counter.fraction == 1

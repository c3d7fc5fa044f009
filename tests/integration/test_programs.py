"""Transport streams of several programs: one picture, its own sound, and nothing of the others' clocks."""

from pathlib import Path

import pytest

from tests.support.parts import fetched, probed, probed_audio
from tests.support.programs import on_another_clock, several_programs

FIELD = Path("../shared/media/field")
SECOND = (258, 259)


def codes(file: Path) -> set[str]:
    return {warning.code for warning in fetched(file).warnings}


@pytest.mark.parametrize(
    ("sizes", "video", "audio"), [(("160x120", "320x240"), 2, 3), (("320x240", "160x120", "160x120"), 0, 1)]
)
def test_a_picture_comes_with_its_own_sound(sizes: tuple[str, ...], video: int, audio: int) -> None:
    file = several_programs(*sizes)
    source = probed(file).source
    assert (source.video.index, [track.index for track in source.audio]) == (video, [audio])
    assert "program_dropped" in codes(file) and "video_track_dropped" not in codes(file)
    assert [track.index for track in probed_audio(file).source.audio] == [audio]
    assert [warning.code for warning in probed_audio(file).warnings] == ["program_dropped"]


@pytest.mark.parametrize("sizes", [("160x120", "320x240"), ("320x240", "160x120")])
def test_another_clock_does_not_make_a_film_longer(sizes: tuple[str, ...]) -> None:
    file = on_another_clock(several_programs(*sizes), SECOND, 21 * 3600)
    assert fetched(file).plan.duration == 2
    assert probed(file).source.duration == pytest.approx(2, abs=0.1)


def test_sound_that_programs_share_is_kept() -> None:
    source = probed(several_programs("160x120", "320x240", shared_sound=True)).source
    assert (source.video.index, [track.index for track in source.audio]) == (2, [1])


@pytest.mark.skipif(not FIELD.is_dir(), reason="needs the files from the field")
@pytest.mark.parametrize("name", ["mpts_same.ts", "mpts_clock.ts"])
def test_broadcasts(name: str) -> None:
    event = fetched(FIELD / name)
    assert [part.track for part in event.plan.audio] == [1]
    assert event.plan.duration == 10
    assert "program_dropped" in {warning.code for warning in event.warnings}

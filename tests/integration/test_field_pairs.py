"""Field-coded broadcasts: frames and their rate come from pictures, whichever packets have a time stamp."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from tests.support import frames
from tests.support.field_pairs import field_coded, in_one_unit, without_second_times
from tests.support.parts import encode, fetched, probed

CAPTURE = Path("../shared/media/edge/mts_avchd_1080i5994_ac3.mts")
NTSC = Fraction(30000, 1001)
LOOPS = 3
FRAMES = 30 * LOOPS + 1
MAKERS: dict[str, Callable[[Path], Path]] = {
    "own times": lambda file: file,
    "one time": without_second_times,
    "one unit": in_one_unit,
}

pytestmark = pytest.mark.skipif(not CAPTURE.exists(), reason="needs the files of odd kinds")


@pytest.mark.parametrize("name", MAKERS)
def test_two_fields_are_one_frame(name: str) -> None:
    file = MAKERS[name](field_coded(CAPTURE, loops=LOOPS))
    video, plan = probed(file).source.video, fetched(file).plan
    assert (video.frames, video.frame_rate, video.interlaced) == (FRAMES, NTSC, True)
    assert plan.frame_rate == 2 * NTSC and sum(part.pad for part in plan.video) <= 3
    assert abs(float(plan.duration) - 31 * LOOPS / float(NTSC)) < 0.05


def test_fields_without_a_container() -> None:
    video = probed(field_coded(CAPTURE, loops=2, suffix="h264")).source.video
    assert (video.frames, video.frame_rate, video.variable_rate) == (61, NTSC, False)
    assert video.end - video.start == 61 / NTSC


def test_nothing_is_frozen(tmp_path: Path) -> None:
    file = in_one_unit(field_coded(CAPTURE, loops=1))
    event = fetched(file)
    assert len(frames.packets(encode(event, file, tmp_path).join("144p"))) == event.plan.frames
    assert abs(event.plan.frames - 62) <= 2

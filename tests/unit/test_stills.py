"""Which frames become stills, for any length, rate and shape of a video."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fetcher.plan.stills import plan_stills
from shared.events import Fetched
from shared.media.result import PartRecord
from shared.media.source import VideoTrack
from shared.media.stills import StillSet, still_path
from tests.support import samples

RATES = [Fraction(1), Fraction(12), Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60)]


def video(width: int = 1920, height: int = 1080, aspect: Fraction = Fraction(1), rotation: int = 0) -> VideoTrack:
    return VideoTrack(
        index=0, codec="h264", pixel_format="yuv420p", width=width, height=height, sample_aspect=aspect, rotation=rotation,
        time_base=Fraction(1, 1000), start_pts=0, end_pts=1, frames=1, frame_rate=Fraction(25),
    )  # fmt: skip


@given(st.integers(1, 5_000_000), st.sampled_from(RATES))
def test_every_still_shows_the_frame_in_the_middle_of_its_span(frames: int, rate: Fraction) -> None:
    stills = plan_stills(video(), frames, rate)
    shown, count = stills.thumbnails.frames, len(stills.thumbnails.frames)
    assert count == min(5, max(1, int(frames / rate)))
    middles = [Fraction((2 * number + 1) * frames, 2 * count) for number in range(count)]
    assert all(frame <= middle < frame + 1 for frame, middle in zip(shown, middles, strict=True))
    tiles, each = stills.tiles.frames, stills.tile_frames
    assert each / rate >= 2
    assert 1 <= len(tiles) <= 100
    assert [frame // each for frame in tiles] == list(range(-(-frames // each)))
    assert 0 <= tiles[-1] < frames
    assert {late - early for early, late in pairwise(tiles[:-1])} <= {each}
    assert stills.columns == min(10, len(tiles))
    assert (stills.rows - 1) * stills.columns < len(tiles) <= stills.rows * stills.columns


@given(st.integers(1, 3000), st.lists(st.integers(1, 700), min_size=1, max_size=20))
def test_every_still_belongs_to_one_part(frames: int, lengths: list[int]) -> None:
    stills = plan_stills(video(), frames, Fraction(25))
    found, first = [], 0
    for length in lengths:
        found += [*stills.tiles.within(first, length)]
        first += length
    assert found == [number for number in stills.tiles.numbers if stills.tiles.frames[number - 1] < first]


def test_a_single_frame_is_its_own_thumbnail_and_tile() -> None:
    stills = plan_stills(video(), 1, Fraction(25))
    assert (stills.thumbnails.frames, stills.tiles.frames) == ((0,), (0,))
    assert (stills.columns, stills.rows) == (1, 1)


@pytest.mark.parametrize(
    ("track", "thumbnail", "tile"),
    [
        (video(), (1280, 720), (160, 90)),
        (video(3840, 1600), (1728, 720), (160, 66)),
        (video(1080, 1920), (720, 1280), (90, 160)),
        (video(1920, 1080, rotation=90), (720, 1280), (90, 160)),
        (video(720, 576, Fraction(64, 45)), (1024, 576), (160, 90)),
        (video(720, 576, Fraction(8, 15)), (720, 1080), (106, 160)),
        (video(213, 121), (212, 120), (160, 90)),
        (video(100, 80), (100, 80), (100, 80)),
        (video(16, 2), (16, 2), (16, 2)),
        (video(1, 1), (2, 2), (2, 2)),
        (video(16384, 64), (4096, 16), (160, 2)),
        (video(64, 64, Fraction(1000)), (4096, 4), (160, 2)),
    ],
)
def test_sizes(track: VideoTrack, thumbnail: tuple[int, int], tile: tuple[int, int]) -> None:
    stills = plan_stills(track, 1000, Fraction(25))
    assert (stills.thumbnails.width, stills.thumbnails.height) == thumbnail
    assert (stills.tiles.width, stills.tiles.height) == tile


def test_numbers_begin_at_one_and_are_part_of_the_path() -> None:
    chosen = StillSet(frames=(0, 149, 150, 299), width=2, height=2)
    assert list(chosen.numbers) == [1, 2, 3, 4]
    assert [list(chosen.within(first, 150)) for first in (0, 150, 300)] == [[1, 2], [3, 4], []]
    assert still_path("thumbnail", 1) == "thumbnails/thumbnail_1.jpg"


def test_what_was_written_before_there_were_stills_can_still_be_read() -> None:
    life = [event.model_dump(mode="json") for event in samples.whole_life("5KQfnXCg8Qh")]
    fetched = next(one for one in life if one["type"] == "fetched")
    del fetched["plan"]["stills"]
    assert Fetched.model_validate(fetched).plan.stills is None
    assert PartRecord.model_validate({"tables": [], "encoder": "aac", "seconds": 1}).stills == ()

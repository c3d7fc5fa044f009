"""Which of several sizes counts."""

from fractions import Fraction
from typing import Any

import pytest

from services.fetcher.probe.sizes import LOOKS, SHORT_SECONDS, longest_size, looks
from shared.media.source import VideoTrack

SMALL, LARGE = (320, 180), (1280, 720)


def track(seconds: int = 10, start: int = 0) -> VideoTrack:
    return VideoTrack(
        index=0, codec="vp8", pixel_format="yuv420p", width=320, height=180, time_base=Fraction(1, 1000),
        start_pts=start, end_pts=start + seconds * 1000, frames=9, frame_rate=Fraction(25),
    )  # fmt: skip


def frame(time: Any, size: tuple[int, int]) -> dict[str, Any]:
    return {"best_effort_timestamp": time, "width": size[0], "height": size[1]}


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([], SMALL),
        ([frame(0, SMALL)], SMALL),
        ([frame(0, SMALL), frame(1000, LARGE)], LARGE),
        ([frame(0, SMALL), frame(0, SMALL), frame(1000, LARGE), frame(1000, LARGE)], LARGE),
        ([frame(0, SMALL), frame(5000, LARGE)], SMALL),
        ([frame(0, SMALL), frame(9000, LARGE)], SMALL),
        ([frame(0, SMALL), frame(1000, (640, 360)), frame(3000, LARGE)], LARGE),
        ([frame(0, SMALL), frame(1000, LARGE), frame(3000, SMALL)], SMALL),
        ([frame(2000, LARGE)], LARGE),
        ([frame(None, LARGE), {"best_effort_timestamp": 3}, {}], SMALL),
    ],
)
def test_the_one_that_holds_longest(frames: list[dict[str, Any]], expected: tuple[int, int]) -> None:
    assert longest_size(track(), frames) == expected


def test_where_it_is_looked_at() -> None:
    _, places = looks(track(24, start=1000), seekable=True)
    assert places.split(",")[0] == "2.000%+#1" and len(places.split(",")) == LOOKS
    assert looks(track(SHORT_SECONDS), seekable=False) == ["-skip_frame", "nokey"]
    assert looks(track(SHORT_SECONDS + 1), seekable=False) == []

"""What cannot be true is refused before any work, and what somebody meant is not."""

from array import array
from collections.abc import Sequence
from fractions import Fraction

import pytest

from services.fetcher.probe.evidence import Evidence, Trial, read_trial, sound_seconds
from services.fetcher.probe.index import VideoIndex
from services.fetcher.probe.packets import read_packets
from services.fetcher.probe.plausibility import check_plausible
from shared.errors import PermanentError
from shared.media.source import Source, VideoTrack

HOUR = 3600
REPORT = b"""#software: Lavf
#tb 0: 1/12800
#media_type 0: video
#dimensions 0: 320x180
#sar 0: 1/1
0,       -512,       -512,      512,    86400, 0x1
0,          0,          0,      512,    86400, 0x2
"""


def refusal(
    times: Sequence[float], *, sound: float = 0, seconds: float | None = None, trial: Sequence[float] = ()
) -> str:
    """Why a film with pictures at these times (seconds) is refused; empty where it is not."""
    pts = array("q", (round(time * 1000) for time in times))
    last = pts[-1] - pts[-2] if len(pts) > 1 else 40
    video = VideoTrack(
        index=0, codec="h264", pixel_format="yuv420p", width=320, height=180, time_base=Fraction(1, 1000),
        start_pts=pts[0], end_pts=pts[-1] + last, frames=len(pts), frame_rate=Fraction(25),
    )  # fmt: skip
    source = Source(demuxer="mov", file="a", bytes=1, duration=1, video=video)
    evidence = Evidence(Trial((320, 180), tuple(Fraction(time).limit_denominator(1000) for time in trial)), sound)
    whole = float(video.end - video.start) if seconds is None else seconds
    try:
        check_plausible(source, VideoIndex(pts, array("q"), ()), evidence, whole)
    except PermanentError as error:
        assert error.code == "input_damaged" and error.message
        return error.detail
    return ""


def steady(count: int, step: float = 0.04, start: float = 0) -> list[float]:
    return [start + number * step for number in range(count)]


@pytest.mark.parametrize(
    ("times", "more"),
    [
        (steady(250), {}),
        (steady(1), {}),
        (steady(1), {"sound": HOUR, "seconds": HOUR}),
        (steady(250), {"sound": 3 * HOUR, "seconds": 3 * HOUR}),
        (steady(250), {"sound": 60, "seconds": 110}),
        (steady(7, 1500), {}),
        ([0, 3 * HOUR], {"sound": 3 * HOUR}),
        (steady(250, start=90_000), {"sound": 10, "seconds": 10.1}),
        (steady(250), {"trial": steady(12)}),
        (steady(250), {"trial": steady(12, start=0.4)}),
        (steady(250), {"trial": [*steady(4), *steady(8, start=2)]}),
        (steady(250), {"trial": steady(5, 2)}),
        ([n * n / 100 for n in range(200)], {"trial": [n * n / 100 for n in range(12)]}),
    ],
)
def test_what_somebody_meant(times: list[float], more: dict[str, float | list[float]]) -> None:
    assert refusal(times, **more) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize("apart", [2 * HOUR, 21 * HOUR, 86_400 * 3])
def test_sound_far_from_the_picture(apart: int) -> None:
    assert "no longer than what is in it" in refusal(steady(250), sound=10, seconds=10 + apart)
    assert "no longer than what is in it" in refusal(steady(50), sound=2, seconds=600)


@pytest.mark.parametrize("times", [steady(23, HOUR), [0, 86_400], [*steady(100), *steady(100, start=2 * HOUR)]])
def test_pictures_hours_apart(times: list[float]) -> None:
    assert "pictures follow each other" in refusal(times)
    assert "pictures follow each other" in refusal(times, sound=60)


@pytest.mark.parametrize("step", [0.02, 0.08, 0.0833, 0.0166])
def test_frames_counted_otherwise_than_decoded(step: float) -> None:
    assert "as many pictures as come out of it" in refusal(steady(250), trial=steady(12, step))


def test_a_trial_is_read() -> None:
    assert read_trial(REPORT) == Trial((320, 180), (Fraction(-1, 25), Fraction(0)))
    assert read_trial(b"") == Trial() == read_trial(b"#tb 0: 1/25\n")


def sound(*lines: str) -> float:
    """Seconds of sound in packets of stream 1, each written ``pts duration`` in milliseconds."""
    table = read_packets((f"1,{pts},{pts},{length},9,0,K__" for pts, length in map(str.split, lines)), 0)
    return sound_seconds(table, [{"index": 1, "codec_type": "audio", "time_base": "1/1000"}])


def test_how_much_sound_there_is() -> None:
    assert sound() == 0
    assert sound("0 20", "20 20", "40 20") == 0.06
    assert sound("0 20", "400 20", "30000 20") == 30.02, "a meeting in which nobody speaks"
    assert sound("0 20", "20 20", "75600000 20") == 0.06, "a clock that jumps"
    assert sound("0 20", "20 75600000", "40 20") == 0.04, "a packet that cannot last that long"

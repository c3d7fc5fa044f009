"""What becomes of the channels of a track, and when it is turned down."""

from fractions import Fraction

import pytest

from services.transcoder.audio_filters import clock_filters, stereo_filters
from shared.media.source import AudioTrack
from tests.support.encoded import make_plan


def track(channels: int, layout: str | None) -> AudioTrack:
    return AudioTrack(index=1, codec="aac", channels=channels, layout=layout, sample_rate=48_000, start=0, end=1)


def matrix(channels: int, layout: str | None) -> str:
    [pan] = [text for text in stereo_filters(track(channels, layout), make_plan(), 48_000) if text.startswith("pan=")]
    return pan


@pytest.mark.parametrize(
    ("channels", "layout"),
    [
        (1, "mono"),
        (1, None),
        (2, "stereo"),
        (2, "binaural"),
        (3, "3 channels (FL+FC+LFE)"),
        (6, "5.1(side)"),
        (6, None),
        (8, "8 channels"),
        (10, "5.1.4"),
        (24, "22.2"),
    ],
)
def test_channels_with_a_place_go_to_their_side(channels: int, layout: str | None) -> None:
    left, right = matrix(channels, layout).removeprefix("pan=stereo|FL=").split("|FR=")
    assert {"1*FL", "1*FLC", "0.707107*FC", "0.707107*SL", "0.707107*BL"} <= set(left.split("+"))
    assert {"1*FR", "1*FRC", "0.707107*FC", "0.707107*SR", "0.707107*BR"} <= set(right.split("+"))
    assert "LFE" not in left + right


@pytest.mark.parametrize(
    ("channels", "layout", "expected"),
    [
        (9, None, "FL=c0|FR=c1"),
        (16, "16 channels", "FL=c0|FR=c1"),
        (4, "4 channels (UNK+UNK+USR1+USR2)", "FL=c0|FR=c1"),
        (4, "ambisonic 1", "FL=c0|FR=c0"),
        (6, "ambisonic 1+stereo", "FL=c0|FR=c0"),
        # The gain makes up for that of a single channel, which is turned up for the usual matrix.
        (1, "1 channels (LFE)", "FL=0.707107*c0|FR=0.707107*c0"),
    ],
)
def test_channels_without_a_place_go_by_number(channels: int, layout: str | None, expected: str) -> None:
    assert matrix(channels, layout) == f"pan=stereo|{expected}"


@pytest.mark.parametrize(("channels", "limited"), [(1, False), (2, False), (3, True), (6, True)])
def test_only_sums_of_channels_are_limited(channels: int, limited: bool) -> None:
    plan = make_plan(frames=7, frame_rate=Fraction(30000, 1001))
    filters = clock_filters(track(channels, None), plan, plan.audio[0])
    assert any(text.startswith("alimiter") for text in filters) is limited


def test_a_long_silence_before_the_sound_is_no_single_frame() -> None:
    plan = make_plan(frames=25 * 60)
    late = track(2, "stereo").model_copy(update={"start": 40.5, "end": 60})
    filters = clock_filters(late, plan, plan.audio[0])
    assert filters[1].endswith(":first_pts=1464000")
    assert filters[2:4] == ("asetpts=PTS-1464000", "adelay=delays=1464000S:all=1")
    assert not any("adelay" in text for text in clock_filters(track(2, "stereo"), plan, plan.audio[0]))

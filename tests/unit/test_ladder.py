"""Which renditions a source gets: the short side decides, nothing is scaled up."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fetcher.plan.ladder import display_size, level_for, make_ladder
from shared.media.plan import Rung
from shared.media.profile import PROFILE_NAMES, RESOLUTIONS, load_profile, short_side
from shared.media.source import VideoTrack

USUAL = ("240p", "480p", "720p", "1080p")


def video(width: int, height: int, **members: Any) -> VideoTrack:
    return VideoTrack(
        index=0, codec="h264", pixel_format="yuv420p", width=width, height=height, time_base=Fraction(1, 90000),
        start_pts=0, end_pts=90000, frames=30, frame_rate=Fraction(30), **members,
    )  # fmt: skip


def ladder(track: VideoTrack, *resolutions: str, rate: Fraction = Fraction(30)) -> tuple[tuple[Rung, ...], list[str]]:
    rungs, warnings = make_ladder(track, resolutions or USUAL, load_profile("balanced"), rate)
    return rungs, [warning.code for warning in warnings]


def sizes(track: VideoTrack, *resolutions: str) -> dict[str, tuple[int, int]]:
    return {rung.resolution: (rung.width, rung.height) for rung in ladder(track, *resolutions)[0]}


@pytest.mark.parametrize(
    ("track", "expected"),
    [
        (video(1920, 1080), {"1080p": (1920, 1080), "720p": (1280, 720), "480p": (854, 480), "240p": (426, 240)}),
        (video(1080, 1920), {"1080p": (1080, 1920), "720p": (720, 1280), "480p": (480, 854), "240p": (240, 426)}),
        (video(1920, 1080, rotation=90), {"1080p": (1080, 1920), "720p": (720, 1280), "480p": (480, 854), "240p": (240, 426)}),
        (video(1920, 1080, rotation=180), {"1080p": (1920, 1080), "720p": (1280, 720), "480p": (854, 480), "240p": (426, 240)}),
        (video(720, 720), {"720p": (720, 720), "480p": (480, 480), "240p": (240, 240)}),
        # Ultra-wide: the height is the short side.
        (video(3840, 1608), {"1080p": (2580, 1080), "720p": (1720, 720), "480p": (1146, 480), "240p": (574, 240)}),
        (video(1920, 804), {"720p": (1720, 720), "480p": (1146, 480), "240p": (574, 240)}),
        # Anamorphic DVDs, 4:3 and 16:9.
        (video(720, 576, sample_aspect=Fraction(16, 15)), {"480p": (640, 480), "240p": (320, 240)}),
        (video(720, 576, sample_aspect=Fraction(64, 45)), {"480p": (854, 480), "240p": (426, 240)}),
        (video(720, 480, sample_aspect=Fraction(8, 9)), {"480p": (640, 480), "240p": (320, 240)}),
        (video(640, 360, sample_aspect=Fraction(2), rotation=270), {"240p": (240, 854)}),
        (video(853, 481), {"480p": (852, 480), "240p": (426, 240)}),
    ],
)  # fmt: skip
def test_sizes(track: VideoTrack, expected: dict[str, tuple[int, int]]) -> None:
    assert sizes(track) == expected


def test_a_squeezed_picture_is_stretched_upwards_so_that_no_pixel_is_lost() -> None:
    assert display_size(video(720, 480, sample_aspect=Fraction(8, 9))) == (Fraction(720), Fraction(540))
    assert sizes(video(720, 480, sample_aspect=Fraction(8, 9)), "540p") == {"540p": (720, 540)}


def test_renditions_come_largest_first_whatever_the_order_asked_for() -> None:
    assert list(sizes(video(1920, 1080), "480p", "1080p", "240p")) == ["1080p", "480p", "240p"]


def test_what_is_above_the_source_is_dropped_with_a_warning_that_names_it() -> None:
    rungs, warnings = make_ladder(video(1280, 720), USUAL, load_profile("balanced"), Fraction(30))
    assert [rung.resolution for rung in rungs] == ["720p", "480p", "240p"]
    assert [warning.code for warning in warnings] == ["resolution_dropped"]
    assert warnings[0].message == "Not made, because the source is only 1280×720 and nothing is scaled up: 1080p."


def test_a_source_below_everything_is_made_in_its_own_size_under_the_lowest_name() -> None:
    rungs, warnings = make_ladder(video(320, 180), ("480p", "720p"), load_profile("balanced"), Fraction(30))
    assert [(rung.resolution, rung.width, rung.height) for rung in rungs] == [("480p", 320, 180)]
    assert [warning.code for warning in warnings] == ["resolution_dropped", "source_below_ladder"]
    assert "320×180, as 480p" in warnings[1].message
    assert "480p" not in warnings[0].message


def test_a_single_resolution_above_the_source_drops_nothing() -> None:
    assert ladder(video(320, 180), "480p")[1] == ["source_below_ladder"]


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(1, 1, (16, 16)), (2, 2, (16, 16)), (64, 64, (64, 64)), (101, 33, (100, 32)), (300, 2, (2400, 16))],
)
def test_tiny_sources_get_what_an_encoder_can_make(width: int, height: int, expected: tuple[int, int]) -> None:
    assert sizes(video(width, height), "240p") == {"240p": expected}


@given(
    st.integers(1, 8192), st.integers(1, 8192), st.fractions(Fraction(1, 8), 8, max_denominator=64),
    st.sampled_from([0, 90, 180, 270]), st.sets(st.sampled_from(RESOLUTIONS), min_size=1),
)  # fmt: skip
def test_the_contract_holds_for_any_source(
    width: int, height: int, aspect: Fraction, turn: int, wanted: set[str]
) -> None:
    track = video(width, height, sample_aspect=aspect, rotation=turn)
    rungs, _ = ladder(track, *wanted)
    shown = display_size(track)
    fits = {name for name in wanted if short_side(name) <= min(shown)}
    assert {rung.resolution for rung in rungs} == (fits or {min(wanted, key=short_side)})
    for rung in rungs:
        assert rung.width % 2 == rung.height % 2 == 0
        if fits:
            assert min(rung.width, rung.height) == short_side(rung.resolution)
            # Even sizes can be off by one pixel.
            assert abs(rung.width - min(rung.width, rung.height) * shown[0] / min(shown)) <= 1
            assert abs(rung.height - min(rung.width, rung.height) * shown[1] / min(shown)) <= 1


@pytest.mark.parametrize(
    ("width", "height", "rate", "level"),
    [
        (256, 144, "30", "1.3"),
        (426, 240, "30", "2.1"),
        (640, 360, "30", "3.0"),
        (854, 480, "30", "3.1"),
        (1280, 720, "30", "3.1"),
        (1280, 720, "60", "3.2"),
        (1920, 1080, "30", "4.0"),
        (1920, 1080, "60", "4.2"),
        (2560, 1440, "30", "5.0"),
        (2560, 1440, "60", "5.1"),
        (3840, 2160, "30", "5.1"),
        (3840, 2160, "60", "5.2"),
        (7680, 4320, "60", "6.2"),
        # A level also bounds the longer side: 56 macroblocks at level 1.3.
        (2400, 16, "30", "3.1"),
    ],
)
def test_the_level_is_the_lowest_that_the_standard_allows(width: int, height: int, rate: str, level: str) -> None:
    assert level_for(width, height, Fraction(rate), 100_000) == level


def test_a_high_rate_raises_the_level() -> None:
    assert level_for(1920, 1080, Fraction(30), 25_000_000) == "4.0"
    assert level_for(1920, 1080, Fraction(30), 25_000_001) == "4.2"


def test_the_cap_grows_with_the_frame_rate_but_less_than_it() -> None:
    track = video(1920, 1080)
    cap = {rate: ladder(track, "1080p", rate=Fraction(rate))[0][0].max_rate for rate in ("24", "30", "60")}
    assert cap["30"] == load_profile("balanced").rung("1080p").max_rate * 1000
    assert cap["24"] < cap["30"] < cap["60"] < 2 * cap["30"]


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_profiles_have_every_resolution_and_their_rates_ascend(name: str) -> None:
    profile = load_profile(name)
    assert tuple(profile.rungs) == RESOLUTIONS
    rates = [rung.max_rate for rung in profile.rungs.values()]
    assert rates == sorted(set(rates))

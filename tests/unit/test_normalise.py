"""The rules that make any picture upright, progressive, BT.709, 8-bit 4:2:0."""

from fractions import Fraction
from typing import Any

import pytest

from services.fetcher.normalise import (
    TAGGED,
    color_filters,
    effective_color,
    field_filters,
    orientation_filters,
    picture_filters,
)
from shared.media.source import Color, VideoTrack


def video(width: int = 1920, height: int = 1080, **members: Any) -> VideoTrack:
    given: dict[str, Any] = {"pixel_format": "yuv420p"} | members
    return VideoTrack(
        index=0, codec="h264", width=width, height=height, time_base=Fraction(1, 90000), start_pts=0, end_pts=90000,
        frames=30, frame_rate=Fraction(30), **given,
    )  # fmt: skip


UPRIGHT = "sidedata=mode=delete:type=DISPLAYMATRIX"
BT709 = Color(primaries="bt709", transfer="bt709", matrix="bt709", range="tv")
HDR10 = Color(primaries="bt2020", transfer="smpte2084", matrix="bt2020nc", range="tv")
HLG = Color(primaries="bt2020", transfer="arib-std-b67", matrix="bt2020nc", range="tv")


def test_a_picture_that_is_right_already_is_left_alone() -> None:
    assert picture_filters(video(color=BT709)) == ("format=yuv420p", TAGGED, UPRIGHT)
    assert field_filters(video()) == ()


@pytest.mark.parametrize(("top", "parity"), [(True, "tff"), (False, "bff")])
def test_fields_become_frames_of_their_own(top: bool, parity: str) -> None:
    track = video(interlaced=True, top_field_first=top)
    assert field_filters(track) == (f"bwdif=mode=send_field:parity={parity}:deint=all",)


def test_captions_stay_with_the_first_of_two_frames_where_ffmpeg_does_not_deal_them_out() -> None:
    track = video(interlaced=True, captions=True)
    ntsc, pal = (track.model_copy(update={"frame_rate": Fraction(rate)}) for rate in ("30000/1001", "25"))
    assert len(field_filters(ntsc)) == 1
    assert field_filters(pal)[1:] == ("sidedata=mode=delete:type=A53_CC:enable='mod(n,2)'",)


@pytest.mark.parametrize(
    ("rotation", "mirrored", "expected"),
    [
        (0, False, ()),
        (90, False, ("transpose=dir=cclock",)),
        (180, False, ("hflip", "vflip")),
        (270, False, ("transpose=dir=clock",)),
        (0, True, ("hflip",)),
        (90, True, ("hflip", "transpose=dir=cclock")),
    ],
)
def test_orientation(rotation: int, mirrored: bool, expected: tuple[str, ...]) -> None:
    assert orientation_filters(video(rotation=rotation, mirrored=mirrored)) == expected


@pytest.mark.parametrize(
    ("size", "color", "matrix"),
    [
        ((1920, 1080), Color(), None),
        ((720, 576), Color(), "bt601"),
        ((576, 720), Color(), "bt601"),
        ((1920, 1080), Color(matrix="smpte170m"), "bt601"),
        ((1920, 1080), Color(matrix="bt470bg"), "bt601"),
        ((720, 576), Color(matrix="bt709"), None),
        ((1920, 1080), Color(matrix="bt2020nc"), "bt2020"),
        ((1920, 1080), Color(matrix="smpte240m"), "smpte240m"),
        ((1920, 1080), Color(matrix="reserved"), None),
    ],
)
def test_matrices_are_converted_and_unsaid_ones_guessed_by_size(
    size: tuple[int, int], color: Color, matrix: str | None
) -> None:
    filters = color_filters(video(*size, color=color))
    if matrix is None:
        assert filters == ("format=yuv420p", TAGGED)
    else:
        assert filters[0].startswith(
            f"scale=in_color_matrix={matrix}:in_range=limited:out_color_matrix=bt709:out_range=limited"
        )
        assert filters[-2:] == ("format=yuv420p", TAGGED)


@pytest.mark.parametrize("members", [{"color": Color(matrix="bt709", range="pc")}, {"pixel_format": "yuvj420p"}])
def test_full_range_becomes_limited(members: dict[str, Any]) -> None:
    assert "in_range=full:out_color_matrix=bt709:out_range=limited" in color_filters(video(**members))[0]


@pytest.mark.parametrize("pixel_format", ["rgb24", "bgra", "gbrp", "pal8"])
def test_rgb_becomes_bt709_whatever_its_size(pixel_format: str) -> None:
    for size in ((1920, 1080), (320, 240)):
        filters = color_filters(video(*size, pixel_format=pixel_format))
        assert filters[0].startswith("scale=out_color_matrix=bt709:out_range=limited")


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("color", [HDR10, HLG])
def test_hdr_is_tone_mapped_in_linear_light_from_what_it_is_tagged_as(color: Color, bits: int) -> None:
    chain = ",".join(color_filters(video(color=color, bit_depth=bits)))
    assert chain.index(f"transferin={color.transfer}") < chain.index("transfer=linear") < chain.index("tonemap=")
    assert chain.endswith(f"zscale=transfer=bt709:matrix=bt709:range=limited,format=yuv420p,{TAGGED}")


def test_pictures_that_are_no_longer_hdr_do_not_say_that_they_are() -> None:
    chain = picture_filters(video(color=HDR10))
    kinds = [step.removeprefix("sidedata=mode=delete:type=") for step in chain if step.startswith("sidedata")]
    assert {"DISPLAYMATRIX", "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", "DOVI_METADATA"} <= set(kinds)
    # Captions travel as side data, too, and stay.
    assert "A53_CC" not in kinds


def test_hdr_without_primaries_is_taken_for_bt2020() -> None:
    color = effective_color(video(color=Color(transfer="smpte2084"), bit_depth=10))
    assert (color.primaries, color.matrix, color.range) == ("bt2020", "bt2020nc", "tv")


def test_ten_bits_without_hdr_are_no_hdr() -> None:
    assert color_filters(video(color=BT709, bit_depth=10, pixel_format="yuv422p10le")) == ("format=yuv420p", TAGGED)

"""The table of rules that make any picture upright, progressive, opaque BT.709, 8-bit 4:2:0: each rule has a proof here."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from services.fetcher.plan.color import effective_color, peak_nits
from services.fetcher.plan.ladder import make_ladder
from services.fetcher.plan.normalise import RULES, TAGGED, Rule, Stage, field_filters, picture_filters
from services.fetcher.plan.plan import output_rate
from shared.media.profile import load_profile
from shared.media.source import Color, Mastering, VideoTrack

UPRIGHT = "sidedata=mode=delete:type=DISPLAYMATRIX"
PLAIN = ("format=yuv420p", TAGGED, UPRIGHT)
BT709 = Color(primaries="bt709", transfer="bt709", matrix="bt709", range="tv")
HDR10 = Color(primaries="bt2020", transfer="smpte2084", matrix="bt2020nc", range="tv")
HLG = Color(primaries="bt2020", transfer="arib-std-b67", matrix="bt2020nc", range="tv")
TO_BT709 = "out_color_matrix=bt709:out_range=limited:flags=bicubic+accurate_rnd+full_chroma_int"


def video(width: int = 1920, height: int = 1080, **members: Any) -> VideoTrack:
    given: dict[str, Any] = {"pixel_format": "yuv420p", "frame_rate": Fraction(30)} | members
    return VideoTrack(
        index=0, codec="h264", width=width, height=height, time_base=Fraction(1, 90000), start_pts=0, end_pts=90000,
        frames=30, **given,
    )  # fmt: skip


def pictures(*size: int, **members: Any) -> tuple[str, ...]:
    """The filters before those that every picture gets."""
    filters = picture_filters(video(*size, **members))
    place = filters.index("format=yuv420p")
    assert filters[place + 1] == TAGGED
    return filters[:place]


def rung(track: VideoTrack) -> tuple[int, int]:
    """Size of the only rendition."""
    [only], _ = make_ladder(track, ("144p",), load_profile("fast"), Fraction(30))
    return only.width, only.height


def one_size() -> None:
    square = "scale=w='if(eq(ih,1080),1920,round(min(1920/iw,1080/ih)*iw))'"
    assert field_filters(video())[0].startswith(square)
    assert field_filters(video())[1] == "pad=1920:1080:(ow-iw)/2:(oh-ih)/2:eval=frame"
    assert field_filters(video(720, 576, sample_aspect=Fraction(64, 45))) == ("scale=720:576",)
    assert field_filters(video(853, 481)) == ("scale=853:481",)
    assert field_filters(video(pixel_format="yuv411p")) == ("scale=1920:1080",)
    assert field_filters(video(interlaced=True))[0].endswith(":eval=frame:interl=1")
    coding = ":out_color_matrix=bt601:out_range=full"
    assert field_filters(video(color=Color(matrix="bt470bg", range="pc")))[0].endswith(coding)
    # ffmpeg's scaler would change the format of these even where it has nothing to scale.
    assert field_filters(video(pixel_format="pal8")) == field_filters(video(pixel_format="y210le")) == ()


def fields_to_frames() -> None:
    for top, parity in ((True, "tff"), (False, "bff")):
        track = video(interlaced=True, top_field_first=top)
        assert field_filters(track)[-1] == f"bwdif=mode=send_field:parity={parity}:deint=all"
    assert not any("bwdif" in step for step in field_filters(video()))


def constant_rate() -> None:
    assert output_rate(video(variable_rate=True, frame_rate=Fraction(30000, 1001))) == Fraction(30000, 1001)


def at_most_60_frames() -> None:
    rates = {"120": "60", "144": "48", "120000/1001": "60000/1001", "60": "60", "240": "60", "24": "24"}
    for rate, made in rates.items():
        assert output_rate(video(frame_rate=Fraction(rate))) == Fraction(made)
    assert output_rate(video(frame_rate=Fraction(50), interlaced=True)) == 50


def transparency_on_black() -> None:
    assert pictures(pixel_format="yuva420p", color=BT709) == ("premultiply=inplace=1",)
    for rgb, planar in (("bgra", "gbrap"), ("pal8", "gbrap"), ("rgba64be", "gbrap16le")):
        assert pictures(pixel_format=rgb)[:2] == (f"format={planar}", "premultiply=inplace=1")
    assert pictures(pixel_format="gbrap10le")[0] == "premultiply=inplace=1"
    assert pictures(pixel_format="ya8")[:2] == ("format=yuva444p", "premultiply=inplace=1")
    for opaque in ("rgb24", "yuv420p", "gbrp"):
        assert not any("premultiply" in step for step in pictures(pixel_format=opaque))


def hdr_to_sdr() -> None:
    for color in (HDR10, HLG):
        assert pictures(color=color, pixel_format="yuv420p10le") == (
            f"zscale=matrixin=bt2020nc:transferin={color.transfer}:primariesin=bt2020:rangein=limited"
            ":matrix=gbr:transfer=linear:primaries=bt709:npl=203",
            "format=gbrpf32le",
            "tonemap=tonemap=mobius:param=0.3:desat=0:peak=4.9261",
            "zscale=matrix=bt709:transfer=bt709:primaries=bt709:range=limited",
        )
    assert pictures(color=BT709, pixel_format="yuv422p10le") == (), "ten bits alone are no HDR"


def primaries_to_bt709() -> None:
    for primaries in ("bt2020", "smpte432", "smpte170m", "bt470bg"):
        color = Color(primaries=primaries, transfer="bt2020-10", matrix="bt2020nc")
        assert pictures(color=color) == (
            f"zscale=matrixin=bt2020nc:transferin=bt709:primariesin={primaries}:rangein=limited"
            ":primaries=bt709:transfer=bt709:matrix=bt709:range=limited",
        )
    assert pictures(720, 576, color=Color()) != ()
    assert not any("zscale" in step for step in pictures(720, 576, color=Color())), "what is not said is not converted"


def matrix_and_range_to_bt709() -> None:
    for size, color, matrix in (
        ((720, 576), Color(), "bt601"),
        ((576, 720), Color(), "bt601"),
        ((1920, 1080), Color(matrix="smpte170m"), "bt601"),
        ((1920, 1080), Color(matrix="bt470bg"), "bt601"),
        ((1920, 1080), Color(matrix="bt2020nc"), "bt2020"),
        ((1920, 1080), Color(matrix="smpte240m"), "smpte240m"),
    ):
        assert pictures(*size, color=color) == (f"scale=in_color_matrix={matrix}:in_range=limited:{TO_BT709}",)
    for nothing in (Color(), Color(matrix="reserved"), Color(matrix="gbr"), BT709):
        assert pictures(color=nothing) == ()
    assert pictures(720, 576, color=Color(matrix="bt709")) == ()
    for full in ({"color": Color(matrix="bt709", range="pc")}, {"pixel_format": "yuvj420p"}, {"pixel_format": "gray"}):
        assert pictures(**full) == (f"scale=in_color_matrix=bt709:in_range=full:{TO_BT709}",)
    for rgb in ("rgb24", "gbrp", "bgr0", "rgb48le", "xyz12le"):
        assert pictures(pixel_format=rgb) == pictures(320, 240, pixel_format=rgb) == (f"scale={TO_BT709}",)


def eight_bit_420() -> None:
    for pixel_format in ("yuv420p", "yuv422p10le", "yuv444p12le", "yuv411p", "nv12"):
        assert picture_filters(video(color=BT709, pixel_format=pixel_format)) == PLAIN


def upright() -> None:
    for rotation, mirrored, expected in (
        (90, False, ("transpose=dir=cclock",)),
        (180, False, ("hflip", "vflip")),
        (270, False, ("transpose=dir=clock",)),
        (0, True, ("hflip",)),
        (90, True, ("hflip", "transpose=dir=cclock")),
    ):
        track = video(color=BT709, rotation=rotation, mirrored=mirrored)
        assert picture_filters(track) == ("format=yuv420p", TAGGED, *expected, UPRIGHT)


def metadata_forgotten() -> None:
    kinds = [step.split("type=")[1] for step in picture_filters(video(color=HDR10)) if step.startswith("sidedata")]
    assert {"DISPLAYMATRIX", "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", "DOVI_METADATA"} <= set(kinds)
    assert "A53_CC" not in kinds, "captions travel as side data, too, and stay"
    assert [step for step in picture_filters(video()) if step.startswith("sidedata")] == [UPRIGHT]


def square_pixels() -> None:
    assert rung(video(720, 576, sample_aspect=Fraction(64, 45))) == (256, 144)
    assert rung(video(1440, 1080, sample_aspect=Fraction(4, 3))) == (256, 144)


def even_sizes() -> None:
    assert rung(video(853, 481)) == (256, 144)
    assert rung(video(99, 55)) == (100, 56)


PROOFS: dict[str, Callable[[], None]] = {
    "one size": one_size,
    "fields to frames": fields_to_frames,
    "constant rate": constant_rate,
    "at most 60 frames": at_most_60_frames,
    "transparency on black": transparency_on_black,
    "HDR to SDR": hdr_to_sdr,
    "primaries to BT.709": primaries_to_bt709,
    "matrix and range to BT.709": matrix_and_range_to_bt709,
    "8-bit 4:2:0": eight_bit_420,
    "upright": upright,
    "metadata forgotten": metadata_forgotten,
    "square pixels": square_pixels,
    "even sizes": even_sizes,
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_does_what_it_says(rule: Rule) -> None:
    PROOFS[rule.name]()
    assert rule.sentence.endswith(".")


def test_there_is_a_rule_for_every_proof() -> None:
    assert [rule.name for rule in RULES] == list(PROOFS)


APPLYING: dict[str, dict[str, Any]] = {
    "fields to frames": {"interlaced": True},
    "constant rate": {"variable_rate": True},
    "at most 60 frames": {"frame_rate": Fraction(120)},
    "transparency on black": {"pixel_format": "yuva444p10le"},
    "HDR to SDR": {"color": HLG},
    "primaries to BT.709": {"color": Color(primaries="smpte432")},
    "matrix and range to BT.709": {"color": Color(range="pc")},
    "upright": {"mirrored": True},
    "square pixels": {"sample_aspect": Fraction(4, 3)},
    "even sizes": {"width": 853},
}


@pytest.mark.parametrize("name", APPLYING)
def test_a_rule_applies_where_it_is_needed_and_only_there(name: str) -> None:
    [rule] = [rule for rule in RULES if rule.name == name]
    assert rule.applies(video(**{"color": BT709} | APPLYING[name]))
    assert not rule.applies(video(color=BT709))
    assert bool(rule.filters(video(**APPLYING[name]))) == (rule.stage is not Stage.ELSEWHERE)


def test_a_picture_that_is_right_already_is_left_alone() -> None:
    assert picture_filters(video(color=BT709)) == PLAIN


def test_colours_come_before_turning_and_transparency_before_colours() -> None:
    steps = picture_filters(video(pixel_format="yuva420p", color=HDR10, rotation=90))
    order = [
        next(n for n, step in enumerate(steps) if step.startswith(kind)) for kind in ("premult", "zscale", "transp")
    ]
    assert order == sorted(order)


def test_hdr_is_tone_mapped_in_the_size_of_the_largest_rendition() -> None:
    track = video(3840, 2160, color=HDR10, pixel_format="yuv420p10le")
    assert picture_filters(track, (1920, 1080)) == ("scale=1920:1080:flags=bicubic", *picture_filters(track))
    turned = track.model_copy(update={"rotation": 90})
    assert picture_filters(turned, (1080, 1920))[0] == "scale=1920:1080:flags=bicubic"
    assert picture_filters(track, (3840, 2160)) == picture_filters(track)
    anamorphic = video(1440, 1080, color=HDR10)
    assert picture_filters(anamorphic, (1920, 1080)) == picture_filters(anamorphic), "it would be more pixels"
    assert picture_filters(video(3840, 2160, color=BT709), (1920, 1080)) == PLAIN


def test_hdr_without_primaries_is_taken_for_bt2020() -> None:
    color = effective_color(video(color=Color(transfer="smpte2084"), bit_depth=10))
    assert (color.primaries, color.matrix, color.range) == ("bt2020", "bt2020nc", "tv")


@pytest.mark.parametrize("matrix", ["smpte2085", "ictcp", "reserved", "gbr"])
def test_descriptions_that_no_filter_understands_count_as_none(matrix: str) -> None:
    color = effective_color(video(color=Color(primaries="reserved", matrix=matrix)))
    assert (color.primaries, color.matrix) == ("bt709", "bt709")


def test_matrices_that_only_the_other_filter_knows_go_there() -> None:
    [step] = pictures(color=Color(matrix="ycgco", primaries="bt709"))
    assert step.startswith("zscale=matrixin=ycgco:transferin=bt709:primariesin=bt709:rangein=limited:primaries=bt709")
    hdr = effective_color(video(color=Color(matrix="ictcp", transfer="smpte2084")))
    assert (hdr.matrix, hdr.primaries) == ("ictcp", "bt2020")
    assert effective_color(video(color=Color(matrix="bt2020c", transfer="smpte2084"))).matrix == "bt2020nc"


def test_hdr_of_rgb_is_no_luma() -> None:
    color = effective_color(video(pixel_format="gbrp10le", color=Color(transfer="smpte2084", matrix="gbr")))
    assert (color.matrix, color.range) == ("gbr", "pc")


@pytest.mark.parametrize(
    ("display", "content", "peak"),
    [
        (None, None, 1000),
        (1000, None, 1000),
        (4000, None, 4000),
        (4000, 620, 620),
        (1000, 0, 1000),
        (1000, 4000, 1000),
        (10_000, 0, 10_000),
        (10_000, 180, 203),
        (None, 400, 400),
        (None, 65_535, 1000),
        (0.0001, None, 1000),
    ],
)
def test_the_peak_is_what_the_source_says_where_that_can_be(
    display: float | None, content: float | None, peak: int
) -> None:
    said = Mastering(display_peak=display, content_peak=content)
    assert peak_nits(video(color=HDR10, mastering=said)) == peak


def test_captions_stay_with_the_first_of_two_frames_where_ffmpeg_does_not_deal_them_out() -> None:
    track = video(interlaced=True, captions=True)
    ntsc, pal = (track.model_copy(update={"frame_rate": Fraction(rate)}) for rate in ("30000/1001", "25"))
    assert "sidedata" not in "".join(field_filters(ntsc))
    assert field_filters(pal)[-1:] == ("sidedata=mode=delete:type=A53_CC:enable='mod(n,2)'",)

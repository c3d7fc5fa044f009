"""Mastering data, Dolby Vision and alpha, as ffprobe tells them; fields, as idet measures them."""

from typing import Any

import pytest

from services.fetcher.probe.fields import is_unsaid, measured
from services.fetcher.probe.showinfo import read_showinfo
from services.fetcher.probe.signal import (
    alpha_decoder,
    is_enhancement,
    mastering,
    refuse_dolby_vision_alone,
    with_base_layer,
)
from services.fetcher.probe.streams import Stream
from shared.errors import PermanentError
from shared.media.source import Color, Mastering

DISPLAY = {"side_data_type": "Mastering display metadata", "red_x": "34000/50000", "max_luminance": "10000000/10000"}
LIGHT = {"side_data_type": "Content light level metadata", "max_content": 620, "max_average": 300}


def dolby(profile: int, compatible: int | None, **members: Any) -> Stream:
    """A video stream with ffprobe's DOVI configuration record."""
    record = {
        "side_data_type": "DOVI configuration record", "dv_version_major": 1, "dv_profile": profile, "dv_level": 6,
        "rpu_present_flag": 1, "el_present_flag": 0, "bl_present_flag": 1, "dv_bl_signal_compatibility_id": compatible,
    } | members  # fmt: skip
    return {"codec_name": "hevc", "side_data_list": [record]}


def test_mastering_data_of_the_container_comes_before_that_of_the_first_frame() -> None:
    stream: Stream = {"side_data_list": [DISPLAY]}
    frame: Stream = {"side_data_list": [DISPLAY | {"max_luminance": "40000000/10000"}, LIGHT]}
    assert mastering(stream, [frame]) == Mastering(display_peak=1000, content_peak=620)
    assert mastering({}, [frame, {}]) == Mastering(display_peak=4000, content_peak=620)


@pytest.mark.parametrize("value", ["0/1", "1/0", "N/A", "", None])
def test_mastering_data_that_say_nothing_are_none(value: str | None) -> None:
    stream: Stream = {"side_data_list": [DISPLAY | {"max_luminance": value}, LIGHT | {"max_content": 0}]}
    assert mastering(stream, []) == Mastering()
    assert mastering({}, []) == Mastering()


@pytest.mark.parametrize(("profile", "compatible"), [(5, 0), (5, 1), (8, 0), (10, 0), (9, None)])
def test_dolby_vision_without_a_compatible_base_layer_is_refused(profile: int, compatible: int | None) -> None:
    with pytest.raises(PermanentError) as caught:
        refuse_dolby_vision_alone(dolby(profile, compatible))
    assert caught.value.code == "input_unsupported_codec"
    assert f"Dolby Vision (profile {profile})" in caught.value.message


@pytest.mark.parametrize(
    ("profile", "compatible", "transfer"),
    [(8, 1, "smpte2084"), (8, 4, "arib-std-b67"), (8, 2, None), (7, 6, "smpte2084"), (7, 0, "smpte2084"), (4, 0, None)],
)
def test_a_compatible_base_layer_is_shown_as_what_it_is(profile: int, compatible: int, transfer: str | None) -> None:
    stream = dolby(profile, compatible)
    refuse_dolby_vision_alone(stream)
    assert with_base_layer(Color(), stream).transfer == transfer
    said = Color(transfer="arib-std-b67")
    assert with_base_layer(said, stream) == said, "what the stream itself says counts"


def test_without_dolby_vision_nothing_happens() -> None:
    refuse_dolby_vision_alone({"side_data_list": [DISPLAY]})
    assert with_base_layer(Color(), {}) == Color()
    assert not is_enhancement({})


def test_an_enhancement_layer_is_no_film() -> None:
    assert is_enhancement(dolby(7, 6, bl_present_flag=0, el_present_flag=1))
    assert not is_enhancement(dolby(7, 6))


def test_alpha_beside_the_pictures_needs_another_decoder() -> None:
    assert alpha_decoder({"codec_name": "vp9", "tags": {"alpha_mode": "1"}}) == "libvpx-vp9"
    assert alpha_decoder({"codec_name": "vp8", "tags": {"ALPHA_MODE": "1"}}) == "libvpx"
    assert alpha_decoder({"codec_name": "vp9", "tags": {"alpha_mode": "0"}}) is None
    assert alpha_decoder({"codec_name": "av1", "tags": {"alpha_mode": "1"}}) is None


SILENT: Stream = {"codec_name": "ffv1", "height": 576}


@pytest.mark.parametrize(
    ("stream", "frames", "unsaid"),
    [
        (SILENT, [{"interlaced_frame": 0}], True),
        (SILENT | {"field_order": "unknown"}, [], True),
        (SILENT | {"field_order": "progressive"}, [], False),
        (SILENT | {"field_order": "tt"}, [], False),
        (SILENT, [{"interlaced_frame": 1}], False),
        (SILENT | {"codec_name": "hevc"}, [], False),
        (SILENT | {"height": 1200}, [], False),
        (SILENT | {"height": 288}, [], False),
    ],
)
def test_fields_are_measured_only_where_nothing_says_what_they_are(
    stream: Stream, frames: list[Stream], unsaid: bool
) -> None:
    assert is_unsaid(stream, frames) is unsaid


@pytest.mark.parametrize(
    ("top", "bottom", "progressive", "undetermined", "fields"),
    [
        (250, 0, 10, 40, True),
        (0, 250, 10, 40, False),
        (0, 0, 280, 20, None),
        (70, 0, 30, 0, None),
        (50, 50, 0, 0, None),
        (7, 0, 0, 0, None),
        (20, 0, 0, 280, None),
        (0, 0, 0, 300, None),
    ],
)
def test_fields_need_a_clear_majority(
    top: int, bottom: int, progressive: int, undetermined: int, fields: bool | None
) -> None:
    report = (
        "[Parsed_idet_0 @ 0x0] Multi frame detection: TFF:     0 BFF:     0 Progressive:     0 Undetermined:     0\n"
        "[Parsed_idet_0 @ 0x1] Single frame detection: TFF:   300 BFF:     0 Progressive:     0 Undetermined:     0\n"
        f"[Parsed_idet_0 @ 0x1] Multi frame detection: TFF:{top:6} BFF:{bottom:6} Progressive:{progressive:6} "
        f"Undetermined:{undetermined:6}\n"
    )
    assert measured(report) is fields


SHOWN = """\
[Parsed_showinfo_0 @ 0x1] config in time_base: 1/12800, frame_rate: 25/1
[Parsed_showinfo_0 @ 0x1] n:   0 pts:      0 pts_time:0       duration:    512 duration_time:0.04    fmt:yuv420p10le \
cl:left sar:1/1 s:64x64 i:B iskey:1 type:I checksum:B8 plane_checksum:[18C290E1] mean:[504 512 512] stdev:[0.0 0.0 0.0]
[Parsed_showinfo_0 @ 0x1]   side data - Mastering display metadata: min_luminance=0.000100, max_luminance=1000.000000
[Parsed_showinfo_0 @ 0x1]   side data - Content light level metadata: MaxCLL=800, MaxFALL=400
[Parsed_showinfo_0 @ 0x1] color_range:tv color_space:bt2020nc color_primaries:bt2020 color_trc:smpte2084
[Parsed_showinfo_0 @ 0x1] n:   1 pts:    512 pts_time:0.04    fmt:rgba cl:unspecified sar:1/1 s:64x64 i:P iskey:1
"""


def test_frames_that_ffprobe_cannot_decode_are_described_by_ffmpeg() -> None:
    first, second = read_showinfo(SHOWN)
    assert (first["pix_fmt"], second["pix_fmt"]) == ("yuv420p10le", "rgba")
    assert (first["width"], first["height"]) == (64, 64)
    assert (first["interlaced_frame"], first["top_field_first"], second["interlaced_frame"]) == (1, 0, 0)
    assert (first["color_range"], first["color_space"], first["color_primaries"]) == ("tv", "bt2020nc", "bt2020")
    assert first["color_transfer"] == "smpte2084"
    assert mastering({}, [first]) == Mastering(display_peak=1000, content_peak=800)
    assert read_showinfo("Error opening input") == []


def test_a_report_without_counts_tells_nothing() -> None:
    assert measured("Error opening input") is None

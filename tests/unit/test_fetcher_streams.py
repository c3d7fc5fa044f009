"""What ffprobe says of streams, in our terms."""

from fractions import Fraction
from typing import Any

import pytest

from services.fetcher.probe.packets import NO_TIME, Extent
from services.fetcher.probe.streams import (
    Stream,
    audio_track,
    bit_depth,
    choose_video,
    color,
    fields,
    has_captions,
    is_encrypted,
    orientation,
    pixel_format,
    ratio,
    sample_aspect,
    size,
    subtitles,
    text_track,
)
from shared.media.source import AudioTrack

ONE = 65536


def video(index: int, *flags: str, **more: Any) -> dict[str, Any]:
    return {"index": index, "codec_type": "video", "disposition": dict.fromkeys(flags, 1)} | more


def test_the_default_video_is_chosen_else_the_first() -> None:
    sound = {"index": 0, "codec_type": "audio"}
    assert choose_video([sound, video(1), video(2)]) == video(1)
    assert choose_video([sound, video(1), video(2, "default")]) == video(2, "default")


def test_a_video_that_never_comes_is_chosen_only_without_another() -> None:
    empty, film = video(0, "default", width=0), video(1, width=160)
    assert choose_video([empty, film]) == film
    assert choose_video([empty]) == empty


@pytest.mark.parametrize("flag", ["attached_pic", "timed_thumbnails", "still_image"])
def test_pictures_are_no_films(flag: str) -> None:
    assert choose_video([video(0, flag, "default"), video(1)]) == video(1)
    assert choose_video([video(0, flag)]) is None


def matrix(a: int, b: int, c: int, d: int, x: int = 0) -> dict[str, Any]:
    """A stream with a display matrix, written as ffprobe does it."""
    text = f"\n00000000: {a:12} {b:11} {0:11}\n00000001: {c:12} {d:11} {0:11}\n00000002: {x:12} {0:11} {1 << 30:11}\n"
    return {"side_data_list": [{"side_data_type": "Display Matrix", "displaymatrix": text, "rotation": 0}]}


TURNS = {
    (ONE, 0, 0, ONE): (0, False),
    (0, ONE, -ONE, 0): (270, False),  # phones held upright: shown turned clockwise
    (-ONE, 0, 0, -ONE): (180, False),
    (0, -ONE, ONE, 0): (90, False),
    (-ONE, 0, 0, ONE): (0, True),  # flipped left to right
    (ONE, 0, 0, -ONE): (180, True),  # upside down: left to right, then half a turn
    (0, ONE, ONE, 0): (90, True),  # rows and columns exchanged
    (0, -ONE, -ONE, 0): (270, True),
}


@pytest.mark.parametrize("numbers", TURNS)
def test_orientation(numbers: tuple[int, int, int, int]) -> None:
    assert orientation(matrix(*numbers, x=47185920)) == TURNS[numbers]


@pytest.mark.parametrize("numbers", TURNS)
def test_orientation_moves_the_corner_where_the_matrix_says(numbers: tuple[int, int, int, int]) -> None:
    """Flip and turn a point as the answer says, and as the matrix says."""
    a, b, c, d = (number // ONE for number in numbers)
    turn, mirrored = orientation(matrix(*numbers))
    x, y = (-2 if mirrored else 2), 1
    for _ in range(turn // 90):
        # Counter-clockwise on a screen, whose y points down.
        x, y = y, -x
    assert (x, y) == (a * 2 + c, b * 2 + d)


def test_a_slanted_or_missing_matrix() -> None:
    assert orientation(matrix(int(ONE * 0.99), int(ONE * 0.05), -int(ONE * 0.05), int(ONE * 0.99))) == (0, False)
    assert orientation(matrix(0, 0, 0, 0)) == (0, False)
    assert orientation({}) == (0, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30000/1001", Fraction(30000, 1001)), ("0/0", None), ("0/1", None), ("N/A", None), (None, None), ("-1/2", None)],
)
def test_ratio(text: str | None, expected: Fraction | None) -> None:
    assert ratio(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("16:15", Fraction(16, 15)), ("0:1", 1), ("N/A", 1), ("1:1000", 1), ("64:45", Fraction(64, 45))],
)
def test_sample_aspect(text: str, expected: Fraction) -> None:
    assert sample_aspect({"sample_aspect_ratio": text}) == expected


@pytest.mark.parametrize("text", ["1707:1706", "1706:1707", "4095:4096", "1280:1279", "1001:1000", "399:400"])
def test_pixels_that_are_square_to_the_eye_are_square(text: str) -> None:
    assert sample_aspect({"sample_aspect_ratio": text}) == 1


@pytest.mark.parametrize("text", ["136:135", "45:44", "100:101", "11:10"])
def test_pixels_that_are_not_keep_their_shape(text: str) -> None:
    assert sample_aspect({"sample_aspect_ratio": text}) == Fraction(text.replace(":", "/"))


DEPTHS = {
    **{"yuv420p": 8, "yuvj420p": 8, "nv12": 8, "yuv420p10le": 10, "yuv422p12be": 12, "p010le": 10, "p016le": 16},
    **{"gray16le": 16, "rgb48le": 16, "rgba64be": 16, "gbrp10le": 10, "pal8": 8, "bgra": 8, "gbrpf32le": 32},
}


@pytest.mark.parametrize("name", DEPTHS)
def test_bit_depth(name: str) -> None:
    assert bit_depth({}, name) == DEPTHS[name]


def test_the_decoder_knows_the_colours_better_than_the_container() -> None:
    container = {"color_transfer": "bt709", "color_space": "bt709", "color_primaries": "unknown"}
    found = color(container, [{"color_transfer": "smpte2084", "color_space": "unknown", "color_range": "tv"}])
    assert (found.transfer, found.matrix, found.primaries, found.range) == ("smpte2084", "bt709", None, "tv")


def test_fields_by_what_was_decoded_and_else_by_what_is_claimed() -> None:
    top, bottom, whole = {"interlaced_frame": 1, "top_field_first": 1}, {"interlaced_frame": 1}, {"interlaced_frame": 0}
    assert fields({"field_order": "progressive"}, [top, top, whole]) == (True, True)
    assert fields({"field_order": "tt"}, [whole, whole, top])[0] is False
    assert fields({}, [bottom, bottom]) == (True, False)
    assert [fields({"field_order": order}, []) for order in ("tt", "bb", "tb", "bt", "progressive", "unknown")] == [
        (True, True), (True, False), (True, False), (True, True), (False, True), (False, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "stream",
    [
        {"codec_tag_string": "encv"},
        {"tags": {"ENC_KEY_ID": "x"}},
        {"side_data_list": [{"side_data_type": "Encryption initialization data"}]},
    ],
)
def test_encryption(stream: dict[str, Any]) -> None:
    assert is_encrypted(stream)
    assert not is_encrypted({"codec_tag_string": "avc1", "tags": {"language": "eng"}})


def sound(**more: Any) -> dict[str, Any]:
    given = {"index": 1, "codec_type": "audio", "codec_name": "aac", "channels": 2, "sample_rate": "48000"}
    return given | {"time_base": "1/48000", "disposition": {"default": 1}} | more


def test_an_audio_track() -> None:
    track = audio_track(
        sound(tags={"language": "ger", "TITLE": "Komm\x07entar"}), Extent(3, 4800, 96_000, 4096), by_sum=False
    )
    assert track and (track.start, track.end, track.language, track.title, track.default) == (
        0.1, 2.0, "ger", "Kommentar", True,
    )  # fmt: skip
    summed = audio_track(sound(), Extent(3, 4800, 960_000, 4800), by_sum=True)
    assert summed and summed.end == pytest.approx(0.2)
    untimed = audio_track(sound(tags={"language": "und"}), Extent(3, NO_TIME, NO_TIME, 48_000), by_sum=False)
    assert untimed and (untimed.start, untimed.end, untimed.language) == (0, 1, None)


@pytest.mark.parametrize("stream", [sound(channels=0), sound(sample_rate="0"), sound(codec_name=None)])
def test_what_cannot_be_heard_is_no_track(stream: dict[str, Any]) -> None:
    assert audio_track(stream, Extent(1, 0, 1024, 1024), by_sum=False) is None
    assert audio_track(sound(), Extent(), by_sum=False) is None


def test_captions_lie_with_any_of_the_frames() -> None:
    data = {"side_data_list": [{"side_data_type": "Pan/scan"}, {"side_data_type": "ATSC A53 Part 4 Closed Captions"}]}
    assert has_captions([{}, data])
    assert not has_captions([{}, {"side_data_list": [{"side_data_type": "Pan/scan"}]}])


def test_subtitles_of_text_only() -> None:
    text = {"index": 2, "codec_type": "subtitle", "codec_name": "subrip", "disposition": {"forced": 1}}
    pictures = {"index": 3, "codec_type": "subtitle", "codec_name": "hdmv_pgs_subtitle"}
    assert subtitles([sound(), text, pictures]) == [text, pictures]
    track = text_track(text)
    assert track and (track.index, track.forced) == (2, True)
    assert text_track(pictures) is None


def test_size_and_format_are_those_of_the_first_picture_where_it_could_be_decoded() -> None:
    later: Stream = {"width": 144, "height": 256, "pix_fmt": "yuvj420p"}
    first: Stream = {"width": 256, "height": 144, "pix_fmt": "yuv420p"}
    assert size(later, [first, later]) == (256, 144)
    assert pixel_format(later, [first, later]) == "yuv420p"
    assert (size(later, []), pixel_format(later, [])) == ((144, 256), "yuvj420p")
    assert size(later, [{"pts": 0}]) == (144, 256)
    assert pixel_format({"pix_fmt": "unknown"}, []) == ""


def heard(**more: Any) -> AudioTrack:
    stream = {"index": 1, "codec_name": "aac", "sample_rate": "48000", "channels": 2, "time_base": "1/1000"} | more
    found = audio_track(stream, Extent(1, 0, 1000, 1000), by_sum=False)
    assert found
    return found


@pytest.mark.parametrize(
    ("flags", "purpose"),
    [
        ((), "main"),
        (("default", "original"), "main"),
        (("comment",), "commentary"),
        (("visual_impaired",), "description"),
        (("descriptions",), "description"),
        (("hearing_impaired",), "clear_speech"),
        (("comment", "visual_impaired"), "description"),
    ],
)
def test_what_a_sound_is_for(flags: tuple[str, ...], purpose: str) -> None:
    assert heard(disposition=dict.fromkeys(flags, 1)).purpose == purpose


@pytest.mark.parametrize(
    ("tags", "title"),
    [
        ({"title": "Director's cut", "handler_name": "SoundHandler"}, "Director's cut"),
        ({"handler_name": "Kommentar"}, "Kommentar"),
        ({"handler_name": "SoundHandler"}, None),
        ({"handler_name": "SoundHandle"}, None),
        ({"handler_name": "Core Media Audio"}, None),
        ({"handler_name": "Stereo"}, None),
        ({"handler_name": "ISO Media file produced by a site"}, None),
        ({"title": "é" * 500}, "é" * 100),
        ({"title": "a\nb\x00/🎬"}, "ab/🎬"),
        ({}, None),
    ],
)
def test_a_handler_is_a_title_unless_it_is_that_of_a_program(tags: dict[str, str], title: str | None) -> None:
    assert heard(tags=tags).title == title

"""The table of codecs: what its rows say, and which of them is meant."""

from dataclasses import replace
from fractions import Fraction

import pytest

from shared.media.codecs.h264 import H264, level_for
from shared.media.codecs.table import AUDIO, VIDEO, codec_of, device_of, video_codec
from shared.mp4.bmff import MalformedMedia
from tests.support.boxes import audio_entry, box, init_segment


def test_names_and_encoders_are_unique_and_every_codec_can_be_made_on_a_cpu() -> None:
    names = [codec.name for codec in (*VIDEO, *AUDIO)]
    encoders = [encoder.name for codec in VIDEO for encoder in codec.encoders]
    assert len(set(names)) == len(names)
    assert len(set(encoders)) == len(encoders)
    assert all(codec.encoder_on("cpu").device == "cpu" for codec in VIDEO)


def test_every_codec_goes_into_the_segments_that_are_written() -> None:
    assert all("cmaf" in codec.containers for codec in (*VIDEO, *AUDIO))


def test_the_encoder_is_that_of_the_device() -> None:
    assert H264.encoder_on(device_of("h264_nvenc")).name == "h264_nvenc"
    assert H264.encoder_on(device_of("libx264")).name == "libx264"


def test_a_codec_that_a_device_cannot_make_is_made_on_the_cpu() -> None:
    software = replace(H264, encoders=H264.encoders[:1])
    assert software.encoder_on("nvidia").name == "libx264"


def test_a_codec_is_found_by_name_or_by_its_sample_entry() -> None:
    assert video_codec("h264") is H264
    assert codec_of(init_segment()) is H264
    assert codec_of(init_segment(audio_entry())).name == "aac"
    with pytest.raises(MalformedMedia, match="codec b'hvc1'"):
        codec_of(init_segment(box(b"hvc1", bytes(78))))


@pytest.mark.parametrize(
    ("units", "begins"),
    [
        ((b"\x09\xf0", b"\x65\x88"), True),
        ((b"\x67\x64", b"\x68\xeb", b"\x06\x05", b"\x65\x88"), True),
        ((b"\x06\x06", b"\x41\x9a"), False),
        # Only the first slice counts.
        ((b"\x41\x9a", b"\x65\x88"), False),
        ((), False),
    ],
)
def test_decoding_begins_with_an_idr(units: tuple[bytes, ...], begins: bool) -> None:
    assert H264.is_random_access(b"".join(len(unit).to_bytes(4) + unit for unit in units)) is begins


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

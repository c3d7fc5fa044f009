"""What the demo shows."""

import io
from typing import Any

import pytest
from rich.console import Console

from stack.demo import _slug, renditions_table

OUTPUTS: dict[str, Any] = {
    "master": "s3://millrace/demo/x/video.m3u8",
    "dash": "s3://millrace/demo/x/video.mpd",
    "renditions": [
        {
            "resolution": "240p",
            "width": 426,
            "height": 240,
            "frame_rate": 29.97,
            "average_bitrate": 380_400,
            "peak_bitrate": 412_000,
            "codecs": "avc1.640015",
            "bytes": 951_000,
        }
    ],
    "audio": [
        {
            "name": "English",
            "language": "en",
            "average_bitrate": 128_100,
            "peak_bitrate": 130_000,
            "codecs": "mp4a.40.2",
            "bytes": 320_250,
        }
    ],
    "bytes": 1_271_250,
}


def rendered(thing: Any, columns: int = 80) -> str:
    console = Console(file=io.StringIO(), width=columns)
    console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_a_row_for_every_rendition_with_its_facts() -> None:
    text = rendered(renditions_table(OUTPUTS))
    row = next(line for line in text.splitlines() if "240p" in line)
    for shown in ("426×240", "29.97", "380", "412", "avc1.640015", "951.0 kB"):
        assert shown in row
    assert "audio en" in text
    assert "1.3 MB" in text


@pytest.mark.parametrize("columns", [72, 80, 200])
def test_no_terminal_cuts_a_figure(columns: int) -> None:
    largest = OUTPUTS["renditions"][0] | {
        "width": 3840,
        "height": 2160,
        "frame_rate": 59.94,
        "average_bitrate": 38_483_000,
        "peak_bitrate": 161_300_000,
        "codecs": "av01.0.13M.10.0.110.09.16.09.0",
        "bytes": 999_912_152_600,
    }
    audio = OUTPUTS["audio"][0] | {"language": "zh-Hant-TW"}
    text = rendered(renditions_table({"renditions": [largest], "audio": [audio], "bytes": 999_912_152_600}), columns)
    assert max(map(len, text.splitlines())) <= columns and "…" not in text
    for figure in ("3840×2160", "59.94", "38,483", "161,300", "999.9 GB"):
        assert figure in text


def test_a_source_without_sound_has_no_audio_row() -> None:
    assert "audio" not in rendered(renditions_table(OUTPUTS | {"audio": None}))


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("https://example.com/a/My film.mp4?token=1", "My-film.mp4"),
        ("päivä (1).mov", "p-iv-1-.mov"),
        ("https://example.com/", "example.com"),
        ("...", "video"),
    ],
)
def test_a_name_becomes_fit_for_a_key(name: str, slug: str) -> None:
    assert _slug(name) == slug

"""A whole output with subtitles and closed captions: the checker finds nothing, and players show the texts in time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from checker.reading import read_presentation
from checker.report import as_text
from checker.rules import apply_rules
from services.uploader.compliance import check_presentation
from services.uploader.finish import playlists
from services.uploader.manifest.playlists import multivariant_playlist
from services.uploader.manifest.presentation import Presentation
from shared.media.layout import MULTIVARIANT
from shared.mp4.captions import Triplet
from tests.support import clips
from tests.support.captioned import captioned, odd
from tests.support.parts import encode, fetched
from tests.support.player import play, require_player
from tests.support.published import publish, served

CUES = [[0.5, 2.25, "first"], [5.25, 7.125, "over the edge"], [7.5, 8.0, "last"]]
SRT = """1
00:00:10,500 --> 00:00:12,250
first

2
00:00:15,250 --> 00:00:17,125
over the edge

3
00:00:17,500 --> 00:00:20,000
last
"""


def pop_on(picture: int) -> list[Triplet]:
    """A caption that is loaded in the first second and shown from two seconds until five."""
    load = [(0x14, 0x20), (0x14, 0x2E), (0x14, 0x70), (ord("H"), ord("i")), (ord("!"), 0)]
    codes = dict(enumerate(load, 25)) | {60: (0x14, 0x2F), 150: (0x14, 0x2C)}
    first, second = codes.get(picture, (0, 0))
    return [(0, odd(first), odd(second))]


@dataclass(frozen=True)
class Output:
    """An output in a folder."""

    folder: Path
    stream: Presentation


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Output:
    """Eight seconds that begin at ten on the source's clock, with subtitles and closed captions."""
    picture, sound = captioned("30", 8, pop_on), clips.numbered("24", seconds=8)
    inputs = ("-i", str(picture), "-i", str(sound), "-itsoffset", "-10", "-i", str(clips.written("film.srt", SRT)))
    maps = ("-map", "0:v", "-map", "1:a", "-map", "2", "-c", "copy", "-metadata:s:s:0", "language=en")
    film = clips.made("film.mkv", *inputs, *maps, "-output_ts_offset", "10")
    event = fetched(film)
    folder = tmp_path_factory.mktemp("output")
    return Output(folder, publish(encode(event, film, tmp_path_factory.mktemp("work")), folder))


async def test_the_checker_finds_nothing(output: Output) -> None:
    report = apply_rules(await read_presentation(str(output.folder / MULTIVARIANT)))
    # A chart of eight seconds has no bit rate worth judging.
    assert set(report.violated) <= {"apple-1.30"}, as_text(report)
    documents = playlists(output.stream) | {MULTIVARIANT: multivariant_playlist(output.stream).encode()}
    assert set(check_presentation(output.stream, documents).violated) <= {"apple-1.30"}
    assert output.stream.captions == ("CC1",)


async def test_hls_js_shows_subtitles_and_captions_in_time(output: Output, tmp_path: Path) -> None:
    require_player()
    async with served(output.folder) as server:
        report = await play("hls", str(server.make_url(f"/{MULTIVARIANT}")), tmp_path / "hls.png")
    assert report["ended"] and report["fatal"] is None, report
    assert report["subtitles"] == 1
    assert near(cues_of(report, "subtitles"), CUES), report["texts"]
    # ffmpeg may move a pair by a frame, and hls.js does not look at edit lists here.
    assert near(cues_of(report, "captions"), [[2.0, 5.0, "Hi!"]], within=0.07), report["texts"]


async def test_dash_js_shows_subtitles_in_time(output: Output, tmp_path: Path) -> None:
    require_player()
    async with served(output.folder) as server:
        report = await play("dash", str(server.make_url("/video.mpd")), tmp_path / "dash.png", speed=2)
    assert report["ended"] and report["fatal"] is None, report
    assert report["subtitles"] >= 1
    assert near(cues_of(report, "subtitles"), CUES), report["texts"]


def cues_of(report: dict[str, Any], kind: str) -> list[list[Any]]:
    """The cues of a kind; one over a boundary comes with both segments, and dash.js's are told again and again."""
    return [
        list(cue) for cue in {tuple(cue) for text in report["texts"] if text["kind"] == kind for cue in text["cues"]}
    ]


def near(found: list[list[Any]], expected: list[list[Any]], within: float = 0.0011) -> bool:
    """Whether these are the cues (start, end, text), give or take so many seconds."""
    return len(found) == len(expected) and all(
        cue[:2] == pytest.approx(other[:2], abs=within) and str(cue[2]).strip() == other[2]
        for cue, other in zip(sorted(found), expected, strict=True)
    )

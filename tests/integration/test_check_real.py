"""The checker on what Millrace really makes: nothing is found in it, and a small fault in any of its numbers is."""

from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

from checker import reading
from checker.initialization import read_initialization
from checker.playlist import NotAPlaylist
from checker.segments import read_segment
from services.uploader.finish import playlists
from services.uploader.manifest.presentation import Presentation
from services.uploader.manifest.sprite import sprite
from shared.media.layout import SHEET
from tests.support import clips
from tests.support.captioned import Triplet, captioned, odd
from tests.support.parts import ORG, Encoded, encode, fetched
from tests.support.planted import numbers_of
from tests.support.published import publish
from tests.support.written import violated

SRT = """1
00:00:00,500 --> 00:00:02,250
first, 1

2
00:00:05,250 --> 00:00:07,125
over the edge
"""
# A chart of eight seconds has no bit rate worth judging.
HARMLESS = {"apple-1.30"}


def roll_up(number: int) -> list[Triplet]:
    """Text from the first second on."""
    codes = {30: (0x14, 0x25), 31: (ord("H"), ord("i")), 32: (0x14, 0x2D)}
    first, second = codes.get(number, (0, 0))
    return [(0, odd(first), odd(second))]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A film at 29.97 frames per second with audio, a subtitle and captions."""
    inputs = ("-i", str(captioned("30000/1001", 8, roll_up)), "-i", str(clips.numbered("24", seconds=8)))
    maps = ("-map", "0:v", "-map", "1:a", "-map", "2", "-c", "copy")
    names = ("-metadata:s:a:0", "language=en", "-metadata:s:s:0", "language=en")
    film = clips.made("film.mkv", *inputs, "-i", str(clips.written("film.srt", SRT)), *maps, *names)
    made = encode(fetched(film), film, tmp_path_factory.mktemp("work"))
    folder = tmp_path_factory.mktemp("output")
    add_sprite(publish(made, folder), made, folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def add_sprite(presentation: Presentation, made: Encoded, folder: Path) -> None:
    """Write the pictures for the seek bar, and the documents anew that lead there."""
    plan = made.plan
    assert plan.stills
    parts = [made.space.part(ORG, made.job, name) for name in made.results]
    tiles = {int(path.stem.rpartition("_")[2]): path.read_bytes() for part in parts for path in part.glob("tiles/*")}
    pictures = sprite(plan.stills, plan.frames, plan.frame_rate, tiles)
    for path, body in (pictures | playlists(presentation, sheet_bytes=len(pictures[SHEET]))).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(body)


async def test_nothing_is_found(files: dict[str, bytes]) -> None:
    assert await violated(files) <= HARMLESS


async def test_a_fault_in_any_number_is_found(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "read_segment", cache(read_segment))
    numbers, passed_over = list(numbers_of(files)), []
    for number in numbers:
        for other in () if number.free else number.others():
            try:
                found = await violated(number.planted(files, other)) - HARMLESS
            except NotAPlaylist:
                continue
            if not found:
                passed_over.append(f"{other} in {number}")
    assert len(numbers) > 200 and passed_over == []


async def test_every_initialization_segment_is_read_as_it_was_made(files: dict[str, bytes]) -> None:
    found = {path: read_initialization(body) for path, body in files.items() if path.endswith("init.mp4")}
    assert len(found) == 3
    for path, one in found.items():
        if path.startswith("audio/"):
            assert one.edit == (0 if path.endswith("dash_init.mp4") else Fraction(1024, 48_000))
            assert one.audio and (one.codecs, one.audio.sample_rate, one.audio.channels) == ("mp4a.40.2", 48_000, 2)
        else:
            [sps] = one.parameter_sets
            assert one.codecs == one.configured and sps.frame_rate == Fraction(30_000, 1001)
            # Frames are decoded before they are shown, and the edit list takes the difference back.
            assert 0 < one.edit < 1

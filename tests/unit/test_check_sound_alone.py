"""The checker on streams of sound alone: what speaks of pictures is not asked of them, and all else is."""

import re
from pathlib import Path

import pytest

from services.uploader.compliance import check_presentation
from services.uploader.manifest import playlists
from services.uploader.manifest.presentation import Presentation
from tests.support.written import TextFault, violated, write_audio, write_sound, write_stream


async def test_sound_alone_needs_nothing_that_speaks_of_pictures(tmp_path: Path) -> None:
    stream, documents = write_sound(tmp_path)
    assert await violated(tmp_path) == set()
    assert check_presentation(stream, documents).violated == ()


SOUND = "audio/en/audio.m3u8"
SOUND_FAULTS = [
    # Without CODECS nobody knows before reading it that there is no picture; the track has been read here.
    TextFault("apple-9.1", "video.m3u8", r',CODECS="[^"]*"'),
    TextFault("rfc8216bis-4.4.6.2", "video.m3u8", r":BANDWIDTH=\d+,", ":"),
    TextFault("apple-9.14", "video.m3u8", r"AVERAGE-BANDWIDTH=\d+,"),
    TextFault("apple-1.26", "video.m3u8", r"AVERAGE-BANDWIDTH=(\d+)", r"AVERAGE-BANDWIDTH=\g<1>0"),
    TextFault("apple-1.27", "video.m3u8", r":BANDWIDTH=(\d+)", r":BANDWIDTH=\g<1>0"),
    TextFault("millrace-codecs", "video.m3u8", "mp4a.40.2", "mp4a.40.5"),
    TextFault("millrace-codecs", "video.m3u8", "mp4a.40.2", "avc1.64001e,mp4a.40.2"),
    TextFault("millrace-group", "video.m3u8", ',AUDIO="audio"', ',AUDIO="other"'),
    TextFault("millrace-uri", "video.m3u8", "\naudio/en/audio", "\naudio/fr/audio"),
    TextFault("apple-8.1", SOUND, "EXTINF:5.994667", "EXTINF:5.990000"),
    TextFault("apple-8.2", SOUND, "DURATION:6", "DURATION:7", frozenset({"apple-7.5"})),
    TextFault("apple-7.7", SOUND, "DURATION:6", "DURATION:5", frozenset({"apple-7.5", "apple-8.2", "rfc8216bis-4.4.3.1"})),
    TextFault("millrace-ended", SOUND, "#EXT-X-ENDLIST"),
]  # fmt: skip


@pytest.mark.parametrize("fault", SOUND_FAULTS, ids=lambda fault: fault.rule)
async def test_fault_in_sound_alone(tmp_path: Path, fault: TextFault) -> None:
    write_sound(tmp_path)
    text = (tmp_path / fault.path).read_text()
    planted = re.sub(fault.pattern, fault.by, text)
    assert planted != text
    (tmp_path / fault.path).write_text(planted)
    assert await violated(tmp_path) == {fault.rule} | fault.also


@pytest.mark.parametrize(("rule", "cuts"), [("apple-8.7", (281, 180)), ("millrace-audio-boundaries", (240, 229))])
async def test_fault_between_tracks_of_sound_alone(tmp_path: Path, rule: str, cuts: tuple[int, ...]) -> None:
    write_sound(tmp_path, cuts)
    assert await violated(tmp_path) == {rule}


async def test_sound_beside_pictures_is_no_picture_but_pictures_are_still_demanded(tmp_path: Path) -> None:
    write_stream(tmp_path)
    master, more = tmp_path / "video.m3u8", tmp_path / "more"
    sound = playlists.multivariant_playlist(Presentation((), (write_audio(more, "en", (281, 188)),)))
    # The groups of text have to be named here as well.
    variant = "\n".join(sound.splitlines()[-2:]).replace('"audio"\n', '"audio",SUBTITLES="text",CLOSED-CAPTIONS="cc"\n')
    text = f"{master.read_text()}{variant}\n"
    master.write_text(text)
    assert await violated(tmp_path) == set()
    master.write_text(re.sub(r"RESOLUTION=\w+,(FRAME)", r"\1", text))
    assert await violated(tmp_path) == {"apple-9.2"}

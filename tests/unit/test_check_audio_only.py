"""The checker on presentations of audio alone: what is about video is not asked of them, and all else is."""

import pytest

from services.uploader.compliance import check_presentation
from services.uploader.manifest import playlists
from services.uploader.manifest.presentation import Presentation
from tests.support.written import TextFault, violated, write_audio, write_audio_only, write_presentation

RIGHT = write_audio_only()


async def test_audio_alone_needs_nothing_that_is_about_video() -> None:
    assert await violated(RIGHT.files) == set()
    assert check_presentation(RIGHT.presentation, RIGHT.documents).violated == ()


AUDIO, TOP = "audio/en/audio.m3u8", "video.m3u8"
RATES = frozenset({"millrace-bandwidth"})
FAULTS = [
    # Without CODECS nobody knows before reading it that there is no video; the track has been read here.
    TextFault("apple-9.1", TOP, r',CODECS="[^"]*"'),
    TextFault("rfc8216bis-4.4.6.2", TOP, r":BANDWIDTH=\d+,", ":"),
    TextFault("apple-9.14", TOP, r"AVERAGE-BANDWIDTH=\d+,"),
    TextFault("apple-1.26", TOP, r"AVERAGE-BANDWIDTH=(\d+)", r"AVERAGE-BANDWIDTH=\g<1>0", RATES),
    TextFault("apple-1.27", TOP, r":BANDWIDTH=(\d+)", r":BANDWIDTH=\g<1>0", RATES),
    TextFault("millrace-codecs", TOP, "mp4a.40.2", "mp4a.40.5"),
    TextFault("millrace-codecs", TOP, "mp4a.40.2", "avc1.64001e,mp4a.40.2"),
    TextFault("millrace-group", TOP, ',AUDIO="audio"', ',AUDIO="other"'),
    TextFault("millrace-uri", TOP, "\naudio/en/audio", "\naudio/fr/audio"),
    TextFault("apple-8.1", AUDIO, "EXTINF:6.016000", "EXTINF:6.010000", frozenset({"millrace-extinf"})),
    TextFault("apple-8.2", AUDIO, "DURATION:6", "DURATION:7", frozenset({"apple-7.5", "dash-durations", "millrace-target"})),
    TextFault("apple-7.7", AUDIO, "DURATION:6", "DURATION:5", frozenset({"apple-7.5", "apple-8.2", "rfc8216bis-4.4.3.1"})),
    TextFault("millrace-ended", AUDIO, "#EXT-X-ENDLIST"),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.rule)
async def test_fault_in_audio_alone(fault: TextFault) -> None:
    assert await violated(fault.planted(RIGHT.files)) == {fault.rule} | fault.also


@pytest.mark.parametrize(("rule", "cuts"), [("apple-8.7", (281, 180)), ("millrace-audio-boundaries", (240, 229))])
async def test_fault_between_tracks_of_audio_alone(rule: str, cuts: tuple[int, ...]) -> None:
    assert await violated(write_audio_only(cuts).files) == {rule}


async def test_a_variant_of_audio_beside_video_needs_no_resolution_but_the_others_still_do() -> None:
    video = write_presentation()
    audio = playlists.multivariant_playlist(Presentation((), (write_audio({}, "en", (281, 188)),)))
    # The groups of text have to be named here as well.
    variant = "\n".join(audio.splitlines()[-2:]).replace('"audio"\n', '"audio",SUBTITLES="text",CLOSED-CAPTIONS="cc"\n')
    files = video.files | {TOP: video.files[TOP] + variant.encode() + b"\n"}
    assert await violated(files) == set()
    assert await violated(TextFault("", TOP, r"RESOLUTION=\w+,(FRAME)", r"\1").planted(files)) == {"apple-9.2"}

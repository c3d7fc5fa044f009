"""The command that moves a source into another container."""

from fractions import Fraction
from pathlib import Path

from services.fetcher.probe.remux import as_told, audio_command, remux_command
from shared.media.source import AudioTrack, Source, TextTrack
from tests.support.samples import source

SOUND = AudioTrack(index=2, codec="aac", channels=2, sample_rate=48_000, start=0, end=1)


def given(demuxer: str, *text: TextTrack) -> Source:
    video = source().video.model_copy(update={"index": 1, "time_base": Fraction(1, 90_000)})
    return source().model_copy(update={"demuxer": demuxer, "video_track": video, "audio": (SOUND,), "text": text})


def test_into_quicktime() -> None:
    text = (TextTrack(index=3, codec="mov_text"), TextTrack(index=4, codec="subrip"))
    argv = remux_command("ffmpeg", Path("/w/source.bin"), given("mov", *text), Path("/w/source.mov"))
    assert " ".join(argv) == (
        "ffmpeg -v error -nostdin -y -protocol_whitelist file -use_absolute_path 0 -enable_drefs 0 -f mov"
        " -i file:/w/source.bin -map 0:1 -map 0:2 -map 0:3 -c copy -map_metadata 0"
        " -video_track_timescale 90000 -f mov file:/w/source.mov"
    )


def test_into_matroska() -> None:
    argv = remux_command("ffmpeg", Path("/w/source.bin"), given("asf"), Path("/w/source.mkv"))
    assert " ".join(argv) == (
        "ffmpeg -v error -nostdin -y -protocol_whitelist file -f asf -i file:/w/source.bin"
        " -map 0:1 -map 0:2 -c copy -map_metadata 0 -f matroska file:/w/source.mkv"
    )


def test_what_the_first_container_says_of_sound_is_kept() -> None:
    said = {"language": "pt-BR", "title": "Comentário", "default": True, "purpose": "commentary"}
    before, after = given("mpegts"), given("mov")
    before = before.model_copy(update={"audio": (SOUND.model_copy(update=said),)})
    after = after.model_copy(update={"audio": (SOUND.model_copy(update={"index": 7, "start": 0.5}),)})
    [track] = as_told(before, after).audio
    assert track == SOUND.model_copy(update=said | {"index": 7, "start": 0.5})


def test_the_frames_of_a_track_as_they_are() -> None:
    argv = audio_command("ffmpeg", Path("/w/source.bin"), given("mpegts"), 2, Path("/w/source.adts"))
    assert " ".join(argv) == (
        "ffmpeg -v error -nostdin -y -protocol_whitelist file -f mpegts -i file:/w/source.bin"
        " -map 0:2 -c copy -f data file:/w/source.adts"
    )

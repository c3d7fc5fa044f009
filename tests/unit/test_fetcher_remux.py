"""The command that moves a source into another container."""

from fractions import Fraction
from pathlib import Path

from services.fetcher.remux import remux_command
from shared.media.source import AudioTrack, Source, TextTrack
from tests.support.samples import source

SOUND = AudioTrack(index=2, codec="aac", channels=2, sample_rate=48_000, start=0, end=1)


def given(demuxer: str, *text: TextTrack) -> Source:
    video = source().video.model_copy(update={"index": 1, "time_base": Fraction(1, 90_000)})
    return source().model_copy(update={"demuxer": demuxer, "video": video, "audio": (SOUND,), "text": text})


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

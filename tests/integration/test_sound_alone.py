"""Jobs that ask for the sound alone: what is found in a file, and what is made of it."""

import subprocess
from array import array
from fractions import Fraction
from pathlib import Path

import pytest

from checker.reading import read_presentation
from checker.rules import apply_rules
from services.fetcher.probe.audio_probe import AudioProbe, ProbedAudio
from services.uploader.compliance import check_compliance
from services.uploader.finish import playlists
from services.uploader.manifest.playlists import multivariant_playlist
from shared.errors import PermanentError
from shared.media.layout import MULTIVARIANT
from shared.media.tools import ffmpeg_path, ffprobe_path
from tests.support.clips import made
from tests.support.parts import PROBE_LIMITS, encode, encode_parts, fetched
from tests.support.published import publish
from tests.support.sound import RATE, samples

SECONDS = 7.3
AAC_FRAME = Fraction(1024, RATE)
SWEEP = "0.4*sin(2*PI*(150*t+120*t*t))"
X264 = ("-c:v", "libx264", "-preset", "ultrafast")
COVER = ("-map", "0:a", "-map", "1:v", "-c:v", "copy", "-disposition:v:0", "attached_pic")
FILES: dict[str, tuple[str, ...]] = {
    "a.mp3": (),
    "vbr.mp3": ("-q:a", "5"),
    "a.flac": (),
    "a.wav": (),
    "a.opus": (),
    "a.ogg": (),
    "a.aac": (),
    "a.mka": ("-c:a", "libopus"),
    "cover.m4a": COVER,
    "cover.mp3": (*COVER, "-id3v2_version", "3"),
    "film.mp4": X264,
    "film.ts": X264,
}


def picture(seconds: float = SECONDS) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size=256x144:rate=25:duration={seconds}")


def sweep(seconds: float = SECONDS, rate: int = 44_100) -> tuple[str, ...]:
    """AudioRendition that is like itself at no other time."""
    return ("-f", "lavfi", "-i", f"aevalsrc=exprs='{SWEEP}|{SWEEP}':s={rate}:d={seconds}")


def file_of(name: str, seconds: float = SECONDS) -> Path:
    pictures: tuple[str, ...] = picture(seconds) if name.startswith("film") else ()
    if name.startswith("cover"):
        pictures = ("-i", str(made("cover.png", *picture(0.04), "-frames:v", "1")))
    return made(name, *sweep(seconds), *pictures, *FILES[name])


async def heard(file: Path) -> ProbedAudio:
    return await AudioProbe(ffprobe_path(), ffmpeg_path(), PROBE_LIMITS)(file)


async def refused(file: Path) -> PermanentError:
    with pytest.raises(PermanentError) as caught:
        await heard(file)
    return caught.value


def decoded(file: Path) -> "array[float]":
    """The left channel of a source from its first sample on, as any player plays it."""
    argv = [ffmpeg_path(), "-v", "error", "-i", str(file), "-map", "0:a:0", "-ar", str(RATE), "-f", "f32le", "-"]
    return array("f", subprocess.run(argv, capture_output=True, check=True).stdout)[::2]


def lag(ours: "array[float]", theirs: "array[float]", most: int = 40) -> int:
    """Samples by which our sound is later than theirs, by the best match of a stretch in the middle."""
    stretch = range(2 * RATE, 2 * RATE + 6000)

    def match(shift: int) -> float:
        return sum(ours[place + shift] * theirs[place] for place in stretch)

    return max(range(-most, most + 1), key=match)


@pytest.mark.parametrize("name", FILES)
def test_it_begins_with_the_first_sample_and_ends_with_the_last(name: str, tmp_path: Path) -> None:
    file = file_of(name)
    event = fetched(file, ("audio",))
    assert event.source.video_track is None and event.plan.release_order == ("a0",)
    theirs = decoded(file)
    own = Fraction(len(theirs), RATE)
    assert 0 <= event.plan.duration - own < AAC_FRAME, float(event.plan.duration)
    encoded = encode(event, file, tmp_path)
    [(_, track)] = encoded.tracks(event.plan.audio[0].folder)
    assert track.frames * 1024 == sum(track.durations) == event.plan.duration * RATE + track.priming
    assert track.durations[0] == (1 + 281) * 1024 and not encoded.warnings
    ours, _ = samples(encoded.join(event.plan.audio[0].folder))
    assert lag(ours, theirs) == 0


def test_the_stream_of_two_tracks_keeps_all_rules(tmp_path: Path) -> None:
    names = ("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger")
    file = made("two.mka", *sweep(), *sweep(6), "-map", "0", "-map", "1", *names, "-c:a", "flac")
    event = fetched(file, ("audio",))
    stream = publish(encode(event, file, tmp_path / "space"), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"video.m3u8", "video.mpd", "audio"}
    documents = playlists(stream) | {MULTIVARIANT: multivariant_playlist(stream).encode()}
    found = check_compliance(stream, documents)
    assert found.ok and not found.violations, found.violations


async def test_the_checker_finds_nothing_in_what_is_published(tmp_path: Path) -> None:
    file = file_of("a.flac")
    event = fetched(file, ("audio",))
    publish(await encode_parts(event, file, tmp_path / "space"), tmp_path / "out")
    report = apply_rules(await read_presentation(str(tmp_path / "out" / "video.m3u8")))
    assert report.violated == () and not any(outcome.skipped for outcome in report.outcomes)


async def test_tracks_are_told_and_those_that_cannot_be_decoded_left_out() -> None:
    good = made("good.mka", *sweep(2), "-c:a", "aac")
    bad = made("bad.mka", "-i", str(good), "-c", "copy", "-bsf:a", "noise=amount=2")
    both = made("both.mka", "-i", str(bad), "-i", str(good), "-map", "0", "-map", "1", "-c", "copy")
    found = await heard(both)
    assert [track.index for track in found.source.audio] == [1]
    assert [warning.code for warning in found.warnings] == ["sound_dropped"]
    assert (await refused(bad)).code == "input_no_audio_stream"


async def test_no_sound() -> None:
    error = await refused(made("silent.mp4", *picture(1), *X264))
    assert error.code == "input_no_audio_stream" and "Send a file with audio" in error.message
    assert (await refused(made("still.gif", *picture(0.4)))).code == "input_no_audio_stream"


CUT = ("a.mp3", "vbr.mp3", "a.flac", "a.wav", "a.aiff", "a.caf", "a.mka", "film.mp4", "first.m4a")


@pytest.mark.parametrize("name", CUT)
async def test_what_stops_short_of_its_own_promise(name: str, tmp_path: Path) -> None:
    first = ("-movflags", "+faststart") if name == "first.m4a" else FILES.get(name, ())
    whole = made(name, *sweep(12), *(picture(12) if name == "film.mp4" else ()), *first).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(whole[: int(len(whole) * 0.7)])
    error = await refused(cut)
    assert error.code == "input_truncated", error.detail


@pytest.mark.parametrize("name", ["plain.mp3", "a.aac", "a.ogg"])
async def test_what_promises_nothing_is_taken_as_it_is(name: str, tmp_path: Path) -> None:
    whole = made(name, *sweep(12), *(("-q:a", "5", "-write_xing", "0") if name == "plain.mp3" else ())).read_bytes()
    cut = tmp_path / name
    cut.write_bytes(whole[: int(len(whole) * 0.7)])
    assert 5 < (await heard(cut)).source.duration < 11


async def test_a_clock_that_jumps_is_not_made_hours_of_silence(tmp_path: Path) -> None:
    for name, offsets in (("forward", (10, 4000)), ("back", (4000, 10))):
        joined = tmp_path / f"{name}.ts"
        pieces = [made("piece.ts", *sweep(3), "-output_ts_offset", str(offset)).read_bytes() for offset in offsets]
        joined.write_bytes(b"".join(pieces))
        error = await refused(joined)
        assert error.code == "input_damaged" and "clock" in error.message


async def test_encrypted() -> None:
    key = ("-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb", "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8")
    file = made("locked.mp4", *sweep(1), "-encryption_scheme", "cenc-aes-ctr", *key)
    assert (await refused(file)).code == "input_encrypted"


async def test_a_sound_file_that_is_garbage_behind_its_first_bytes(tmp_path: Path) -> None:
    for head in (b"fLaC\0\0\0\x22", b"RIFF\x10\0\0\0WAVEfmt ", b"\xff\xfb\x90\x64"):
        file = tmp_path / "a"
        file.write_bytes(head + bytes(range(7, 256)) * 40)
        assert (await refused(file)).code in ("input_damaged", "input_no_audio_stream", "input_not_video"), head

"""Small media files, broken at random places but the same ones each time, and what becomes of them when they are encoded."""

import asyncio
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from checker.reading import read_presentation
from checker.rules import apply_rules
from services.fetcher.plan.bounds import bounded, bounded_warnings
from services.fetcher.plan.plan import make_audio_plan, make_plan
from services.fetcher.probe.audio_probe import AudioProbe
from services.fetcher.probe.probe import Probe, ProbeLimits
from services.fetcher.probe.remux import Remux
from services.fetcher.probe.sniff import HEAD_BYTES, sniff
from shared.errors import MillraceError
from shared.events import Fetched
from shared.media.layout import MULTIVARIANT
from shared.media.profile import AUDIO_ONLY
from shared.media.tools import ffmpeg_path, ffprobe_path
from shared.workspace.folder import WorkFolder
from tests.support.clips import made, written
from tests.support.observe import children
from tests.support.parts import JOB, ORG, encode_parts
from tests.support.published import publish

SECONDS = 120.0
"""For one file. The services have limits of minutes for each step; a file of a second needs none of that."""

_LIMITS = ProbeLimits(seconds=30, memory_bytes=8 * 2**30, max_duration=600, max_pixels=2**24)
_PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=128x96:rate=24:duration=1.5")
_SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=1.5")
_BOTH = (*_PICTURE, *_SOUND)
_CUES = ("-i", "<cues>", "-map", "0:v", "-map", "1:a", "-map", "2:s")
_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-pix_fmt", "yuv420p")
_FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof"
# By name, which tells container and codecs.
_KINDS: dict[str, tuple[str, ...]] = {
    "h264-aac.mp4": (*_BOTH, *_X264, "-bf", "2", "-c:a", "aac"),
    "fast-start.mp4": (*_BOTH, *_X264, "-c:a", "aac", "-movflags", "+faststart"),
    "fragmented.mp4": (*_BOTH, *_X264, "-c:a", "aac", "-movflags", _FRAGMENTS),
    "hevc.mp4": (*_PICTURE, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error"),
    "prores-pcm.mov": (*_BOTH, "-c:v", "prores_ks", "-c:a", "pcm_s16le"),
    "h264-opus.mkv": (*_BOTH, *_X264, "-c:a", "libopus"),
    "vp9-opus.webm": (*_BOTH, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"),
    "av1.mkv": (*_PICTURE, "-c:v", "libsvtav1", "-preset", "12", "-svtav1-params", "lp=1"),
    "h264-aac.ts": (*_BOTH, *_X264, "-c:a", "aac"),
    "mpeg2-mp2.mpg": (*_BOTH, "-c:v", "mpeg2video", "-c:a", "mp2"),
    "mpeg4-mp3.avi": (*_BOTH, "-c:v", "mpeg4", "-c:a", "libmp3lame"),
    "h264-aac.flv": (*_BOTH, *_X264, "-c:a", "aac"),
    "wmv.asf": (*_BOTH, "-c:v", "wmv2", "-c:a", "wmav2"),
    "theora.ogv": (*_BOTH, "-c:v", "libtheora", "-c:a", "libvorbis"),
    "text.mp4": (*_BOTH, *_CUES, *_X264, "-c:a", "aac", "-c:s", "mov_text"),
    "text.mkv": (*_BOTH, *_CUES, *_X264, "-c:a", "ac3", "-c:s", "ass"),
    "mjpeg.avi": (*_PICTURE, "-c:v", "mjpeg"),
    "picture.gif": _PICTURE,
    "bare.h264": (*_PICTURE, *_X264),
    "sound.mp3": (*_SOUND, "-c:a", "libmp3lame"),
    "sound.flac": (*_SOUND, "-c:a", "flac"),
    "sound.m4a": (*_SOUND, "-c:a", "aac"),
    "sound.wav": (*_SOUND, "-c:a", "pcm_s16le"),
    "sound.aac": (*_SOUND, "-c:a", "aac"),
    "sound.ogg": (*_SOUND, "-c:a", "libvorbis"),
}
# What programs like least where they expect a size, a count or a time.
_EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


@dataclass(frozen=True)
class Mutant:
    """A broken file.

    Attributes:
        name: the number of the mutant and the file that it was.
    """

    name: str
    body: bytes

    @property
    def resolutions(self) -> tuple[str, ...]:
        """What to make of it."""
        return (AUDIO_ONLY,) if "-sound" in self.name else ("144p",)


def mutant(number: int) -> Mutant:
    """One of them, always the same one for a number; the kinds take turns."""
    name = list(_KINDS)[number % len(_KINDS)]
    return Mutant(f"{number:04d}-{name}", _broken(_whole(name), random.Random(number)))


async def outcome_of(broken: Mutant, root: Path) -> str:
    """Fetch, plan, encode and assemble as the services do, in a folder of its own; ``encoded``, or the code of the job's error.

    Raises:
        AssertionError: the output breaks the rules, or something was left over: a process, an attempt, a file beside the source.
        TimeoutError: it took too long. Anything else: a bug, which would be reported as ``internal_error``.
    """
    space = WorkFolder((root / broken.name).as_uri())
    folder = space.source(ORG, JOB)
    folder.mkdir(parents=True)
    file = folder / "source.bin"
    file.write_bytes(broken.body)
    begun, before = time.monotonic(), children()
    try:
        async with asyncio.timeout(SECONDS):
            event = await _fetched(file, broken.resolutions)
            encoded = await encode_parts(event, file, space.root, stall_seconds=30)
            assert encoded.results.keys() == set(event.plan.release_order)
            output = space.root / "output"
            await asyncio.to_thread(publish, encoded, output)
            report = apply_rules(await read_presentation(str(output / MULTIVARIANT)))
            assert not report.violated, f"{broken.name}: {report.violated}"
        code = "encoded"
    except MillraceError as error:
        code = error.code
    except TimeoutError:
        raise TimeoutError(f"{broken.name}: nothing after {time.monotonic() - begun:.0f} s") from None
    assert not children() - before, f"{broken.name}: processes were left over"
    assert not list((space.job(ORG, JOB) / "attempts").glob("*")), f"{broken.name}: attempts were left over"
    assert {path.name for path in folder.iterdir()} <= {"source.bin", "remuxed.mov", "remuxed.mkv"}, broken.name
    shutil.rmtree(space.root)
    return code


async def _fetched(file: Path, resolutions: tuple[str, ...]) -> Fetched:
    sound = AUDIO_ONLY in resolutions
    sniff(file.read_bytes()[:HEAD_BYTES], sound=sound)
    if sound:
        audio = await AudioProbe(ffprobe_path(), ffmpeg_path(), _LIMITS)(file)
        source, _ = bounded(audio.source)
        return Fetched(
            org=ORG, job=JOB, source=source, plan=make_audio_plan(source, "fast", window=900), warnings=audio.warnings
        )
    probe = Probe(ffprobe_path(), ffmpeg_path(), _LIMITS)
    remux = Remux(ffmpeg_path(), probe, seconds=_LIMITS.seconds, memory_bytes=_LIMITS.memory_bytes)
    probed = await remux(file, await probe(file), has_room=lambda _: True)
    source, left_out = bounded(probed.source)
    plan, warnings = await asyncio.to_thread(make_plan, source, probed.index, resolutions, "fast", window=900)
    warnings = bounded_warnings(probed.warnings + left_out + warnings)
    return Fetched(org=ORG, job=JOB, source=source, plan=plan, warnings=warnings)


@cache
def _whole(name: str) -> bytes:
    cues = written(
        "cues.srt", "1\n00:00:00,100 --> 00:00:00,900\n<i>One</i> & two\n\n2\n00:00:01,000 --> 00:00:01,400\nß\n"
    )
    arguments = [argument.replace("<cues>", str(cues)) for argument in _KINDS[name]]
    return made(name, *arguments, "-t", "1.5").read_bytes()


def _broken(body: bytes, dice: random.Random) -> bytes:
    data = bytearray(body)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        dice.choice(_MUTATIONS)(data, dice)
    return bytes(data)


def _place(data: bytearray, dice: random.Random) -> int:
    """Often where headers and tables are, seldom in the first bytes, by which a file is known for what it is."""
    size = len(data)
    first = 0 if dice.random() < 0.05 else 16
    reach = dice.choice((size, size, 200, 2000))
    place = dice.randrange(min(first, size), max(first, min(reach, size)) + 1)
    return min(place if dice.random() < 0.75 else size - place, max(0, size - 1))


def _run(data: bytearray, dice: random.Random, longest: int = 4096) -> slice:
    start = _place(data, dice)
    return slice(start, start + 1 + int(dice.random() ** 3 * longest))


def _flip(data: bytearray, dice: random.Random) -> None:
    for _ in range(dice.choice((1, 1, 8, 64, 512))):
        data[_place(data, dice)] ^= 1 << dice.randrange(8)


def _fill(data: bytearray, dice: random.Random) -> None:
    where = _run(data, dice, 512)
    data[where] = dice.choice((b"\0", b"\xff")) * len(data[where])


def _noise(data: bytearray, dice: random.Random) -> None:
    where = _run(data, dice)
    data[where] = dice.randbytes(len(data[where]))


def _cut_out(data: bytearray, dice: random.Random) -> None:
    where = _run(data, dice)
    if len(data) - len(data[where]) > 16:
        del data[where]


def _double(data: bytearray, dice: random.Random) -> None:
    run = data[_run(data, dice)]
    place = _place(data, dice)
    data[place:place] = run


def _move(data: bytearray, dice: random.Random) -> None:
    run = data[_run(data, dice)]
    _cut_out(data, dice)
    place = _place(data, dice)
    data[place : place + len(run)] = run


def _truncate(data: bytearray, dice: random.Random) -> None:
    del data[max(16, int(len(data) * dice.random())) :]


def _extreme(data: bytearray, dice: random.Random) -> None:
    """A number of two, four or eight bytes becomes an odd one."""
    width = dice.choice((2, 4, 4, 4, 8))
    number = dice.choice((*_EXTREMES, dice.randrange(2**31))) % 2 ** (8 * width)
    place = _place(data, dice)
    data[place : place + width] = number.to_bytes(width, dice.choice(("big", "little")))


_MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip,
    _flip,
    _fill,
    _noise,
    _cut_out,
    _double,
    _move,
    _truncate,
    _extreme,
    _extreme,
    _extreme,
    _extreme,
)

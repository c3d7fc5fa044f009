"""Turned and flipped pictures, also where the beginning is hidden: what the plan does is what ffmpeg does by itself."""

import subprocess
from pathlib import Path

import pytest

from shared.media.tools import ffmpeg_path
from tests.support.clips import made, written, x264
from tests.support.parts import fetched, probed

FIELD = Path("../shared/media/field")
SMALL = "scale=16:16:flags=area"
TURNS = {
    "90": ("-display_rotation", "90"),
    "180": ("-display_rotation", "180"),
    "270": ("-display_rotation", "270"),
    "flipped": ("-display_hflip",),
    "flipped and 90": ("-display_rotation", "90", "-display_hflip"),
    "upside down": ("-display_vflip",),
}


def plain() -> Path:
    chart = ("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=3")
    return made("plain.mp4", *chart, *x264("keyint=200:scenecut=0:bframes=2"), "-pix_fmt", "yuv420p")


def hidden_first(suffix: str = "mp4", *turn: str) -> Path:
    """A clip that begins in the middle of a long GOP, cut without encoding, and asks to be turned."""
    turned = made("turned.mp4", *turn, "-i", str(plain()), "-c", "copy")
    return made(f"hidden.{suffix}", "-ss", "1.6", "-i", str(turned), "-c", "copy")


def shown(file: Path) -> bytes:
    """The first picture as ffmpeg shows it, small and grey."""
    return grey(file, (), SMALL)


def planned(file: Path) -> bytes:
    """The first picture through the filters of the plan, as small."""
    return grey(file, ("-noautorotate",), ",".join((*fetched(file).plan.picture_filters, SMALL)))


def grey(file: Path, options: tuple[str, ...], filters: str) -> bytes:
    argv = [ffmpeg_path(), "-v", "error", *options, "-i", str(file), "-vf", f"{filters},format=gray", "-frames:v", "1"]
    return subprocess.run([*argv, "-f", "rawvideo", "-"], capture_output=True, check=True).stdout


def same(one: bytes, other: bytes) -> bool:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) < 10 * len(one)


@pytest.mark.parametrize(("name", "suffix"), [*((name, "mp4") for name in TURNS), ("90", "mov"), ("270", "mkv")])
def test_what_begins_hidden_is_turned_once(name: str, suffix: str) -> None:
    file = hidden_first(suffix, *TURNS[name])
    video = probed(file).source.video
    assert (video.width, video.height) == (160, 90)
    assert same(planned(file), shown(file))


def turned_by_sei(codec: str, suffix: str) -> Path:
    """A clip whose pictures alone say: flipped left to right, then turned by 90 degrees."""
    if codec == "h264":
        told = ("-bsf:v", "h264_metadata=display_orientation=insert:rotate=90:flip=horizontal")
        return made(f"told.{suffix}", "-i", str(plain()), "-c", "copy", *told)
    bare = made("a.hevc", "-i", str(plain()), "-c:v", "libx265", "-x265-params", "log-level=none:bframes=0")
    stream = bare.read_bytes()
    first = min(place for kind in (0x26, 0x28, 0x2A) if (place := stream.find(b"\0\0\1" + bytes([kind]))) > 0)
    # Prefix SEI, payload 47: flip 1 and 0, 16384 of 65536, persistent.
    with_sei = stream[:first] + bytes.fromhex("0000014E012F0348001880") + stream[first:]
    return made(f"told.{suffix}", "-f", "hevc", "-i", str(written("b.hevc", with_sei)), "-c", "copy")


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_turn_that_only_the_pictures_tell(codec: str, suffix: str) -> None:
    file = turned_by_sei(codec, suffix)
    video = probed(file).source.video
    assert (video.rotation, video.mirrored) == (90, True)
    assert same(planned(file), shown(file))


@pytest.mark.skipif(not FIELD.is_dir(), reason="needs the files from the field")
@pytest.mark.parametrize("name", ["trim_rot90_720p.mp4", "trim_rot270_bbb_1080p_51.mp4"])
def test_clips_trimmed_on_a_phone_are_upright(name: str) -> None:
    rung = fetched(FIELD / name).plan.rungs[0]
    assert rung.width < rung.height
    assert same(planned(FIELD / name), shown(FIELD / name))


@pytest.mark.parametrize("turn", [(), ("-display_rotation", "90")])
@pytest.mark.parametrize("aspect", ["1707/1706", "1706/1707"])
def test_a_pixel_aspect_that_nobody_can_see_changes_no_size(aspect: str, turn: tuple[str, ...]) -> None:
    chart = ("-f", "lavfi", "-i", "testsrc2=size=480x854:rate=5:duration=0.4", "-vf", f"setsar={aspect}")
    flat = made("a.mp4", *chart, *x264("bframes=0"), "-pix_fmt", "yuv420p")
    file = made("b.mp4", *turn, "-i", str(flat), "-c", "copy")
    rungs = {rung.name: (rung.width, rung.height) for rung in fetched(file, ("480p", "240p")).plan.rungs}
    upright = {"480p": (480, 854), "240p": (240, 428)}
    assert rungs == ({name: size[::-1] for name, size in upright.items()} if turn else upright)

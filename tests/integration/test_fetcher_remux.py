"""Moving sources into a container that can be cut, by files that ffmpeg makes."""

import asyncio
from dataclasses import replace
from pathlib import Path
from shutil import copyfile

import pytest

from services.fetcher.plan.plan import make_plan
from services.fetcher.probe.probe import Probe, Probed, ProbeLimits
from services.fetcher.probe.remux import SHORT_SECONDS, Remux, differs
from shared.errors import PermanentError
from shared.events import Fetched
from shared.media.tools import ffmpeg_path, ffprobe_path
from tests.support import frames
from tests.support.clips import made, numbered
from tests.support.parts import JOB, ORG, encode

SECONDS = SHORT_SECONDS + 2
PICTURE = ("-f", "lavfi", "-i", f"testsrc2=size=160x120:rate=25:duration={SECONDS}")
SOUND = ("-f", "lavfi", "-i", f"sine=sample_rate=48000:duration={SECONDS}")
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "50")
PROBE = Probe(
    ffprobe_path(),
    ffmpeg_path(),
    ProbeLimits(seconds=60, memory_bytes=8 * 2**30, max_duration=3600, max_pixels=4_000_000),
)
REMUX = Remux(ffmpeg_path(), PROBE, seconds=60, memory_bytes=8 * 2**30)


async def moved(made_by_ffmpeg: Path, folder: Path, *, room: int = 2**40) -> tuple[Probed, Probed]:
    """What the probe finds, and what is used in its stead."""
    file = folder / "source.bin"
    copyfile(made_by_ffmpeg, file)
    before = await PROBE(file)
    return before, await REMUX(file, before, has_room=lambda size: size < room)


@pytest.mark.parametrize(
    ("name", "options", "suffix"),
    [
        ("a.ts", (*X264, "-c:a", "aac"), ".mov"),
        ("a.flv", (*X264, "-c:a", "aac"), ".mov"),
        ("a.mp4", (*X264, "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"), ".mov"),
        ("a.asf", ("-c:v", "wmv2", "-c:a", "wmav2"), ".mkv"),
        ("a.ts", (*X264, "-c:a", "aac", "-output_ts_offset", "95440"), ".mov"),
    ],
)
async def test_containers_without_an_index_are_moved(
    tmp_path: Path, name: str, options: tuple[str, ...], suffix: str
) -> None:
    before, after = await moved(made(name, *PICTURE, *SOUND, *options), tmp_path)
    assert not before.source.cuttable and after.source.cuttable
    assert (
        after.source.file == f"source{suffix}" and (tmp_path / after.source.file).stat().st_size == after.source.bytes
    )
    assert after.source.video.frames == before.source.video.frames == 25 * SECONDS
    assert after.source.duration == pytest.approx(before.source.duration, abs=0.05)
    assert differs(before, after) == ""
    lead = [found.source.audio[0].start - float(found.source.video.start) for found in (before, after)]
    assert lead[0] == pytest.approx(lead[1], abs=0.003), "sound and picture are as far apart as before"


OPEN_GOP = (
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-x264-params",
    "open-gop=1:keyint=40:bframes=3:b-adapt=0:scenecut=0",
)
NUMBERED = {
    "ts": lambda: numbered("30000/1001", suffix="ts"),
    "ts, open GOP": lambda: numbered("25", encoder=OPEN_GOP, suffix="ts"),
    "flv": lambda: numbered("24", suffix="flv"),
    "fragmented": lambda: numbered("24", output=("-movflags", "+frag_keyframe+delay_moov+default_base_moof")),
    "asf": lambda: numbered("25", encoder=("-c:v", "wmv2", "-b:v", "2M", "-g", "40"), suffix="asf"),
}


@pytest.mark.parametrize("name", NUMBERED)
def test_a_moved_source_is_cut_at_the_right_frames(tmp_path: Path, name: str) -> None:
    """Encoded in several parts, every frame is where it is in one piece."""
    before, after = asyncio.run(moved(NUMBERED[name](), tmp_path))
    plan, _ = make_plan(after.source, after.index, ("144p",), "fast", window=900)
    assert len(plan.video) == 3
    event = Fetched(org=ORG, job=JOB, source=after.source, plan=plan)
    parts = encode(event, tmp_path / after.source.file, tmp_path / "space")
    # Where the sound begins earlier, the first picture waits for it.
    waiting = round((after.source.video.start - plan.origin) * plan.frame_rate)
    assert frames.numbers(parts.join("144p")) == [0] * waiting + list(range(before.source.video.frames))
    assert not parts.warnings


async def test_what_can_be_cut_or_is_short_stays_where_it_is(tmp_path: Path) -> None:
    before, after = await moved(made("a.mp4", *PICTURE, *X264), tmp_path)
    assert after is before
    short = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=2")
    before, after = await moved(made("b.ts", *short, *X264), tmp_path)
    assert after is before and not before.source.cuttable


async def test_without_room_the_source_stays_where_it_is(tmp_path: Path) -> None:
    before, after = await moved(made("a.ts", *PICTURE, *X264), tmp_path, room=1000)
    assert after is before


async def test_aac_that_changes_its_format_stays_where_it_is(tmp_path: Path) -> None:
    """Elsewhere it would have one header for the whole track."""
    one = made("a.ts", *PICTURE, *SOUND, *X264, "-c:a", "aac", "-ac", "1")
    two = made("b.ts", *PICTURE, *SOUND, *X264, "-c:a", "aac", "-ac", "2", "-output_ts_offset", str(SECONDS))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    before, after = await moved(joined, tmp_path)
    assert after is before and not list(tmp_path.glob("*.adts"))


@pytest.mark.parametrize("codec", ["aac", "ac3"])
async def test_a_clock_that_jumps_is_mended(tmp_path: Path, codec: str) -> None:
    one = made("a.ts", *PICTURE, *SOUND, *X264, "-c:a", codec)
    two = made("b.ts", *PICTURE, *SOUND, *X264, "-c:a", codec, "-output_ts_offset", "1000")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(two.read_bytes() + one.read_bytes())
    _, after = await moved(joined, tmp_path)
    assert after.source.cuttable and after.source.file == "source.mov"
    assert after.source.video.frames == 2 * 25 * SECONDS
    assert after.source.duration == pytest.approx(2 * SECONDS, abs=0.2)
    assert [warning.code for warning in after.warnings] == ["source_clock_jumps", "source_remuxed"]


async def test_a_clock_that_cannot_be_mended_is_an_error_and_no_wrong_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.fetcher.probe.remux.differs", lambda *_, **__: "frames have other times")
    one = made("a.ts", *PICTURE, *X264)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() * 2)
    with pytest.raises(PermanentError) as caught:
        await moved(joined, tmp_path)
    assert caught.value.code == "input_damaged"
    assert not (tmp_path / "source.mov").exists()


async def test_what_cannot_be_copied_stays_where_it_is(tmp_path: Path) -> None:
    rubbish = made("a.ts", *PICTURE, *X264)
    before, _ = await moved(rubbish, tmp_path)
    other = replace(before, source=before.source.model_copy(update={"demuxer": "flv"}))
    assert await REMUX(tmp_path / "source.bin", other, has_room=lambda _: True) is other


async def test_every_difference_is_noticed(tmp_path: Path) -> None:
    before, after = await moved(made("a.ts", *PICTURE, *SOUND, *X264, "-c:a", "aac"), tmp_path)

    def changed(**video: object) -> Probed:
        track = after.source.video.model_copy(update=video)
        return replace(after, source=after.source.model_copy(update={"video_track": track}))

    assert differs(before, after) == ""
    assert "frames" in differs(before, changed(frames=7))
    assert "rotation" in differs(before, changed(rotation=90))
    assert "track" in differs(before, replace(after, source=after.source.model_copy(update={"audio": ()})))
    late = after.source.audio[0].model_copy(update={"start": after.source.audio[0].start + 0.2})
    assert "together" in differs(before, replace(after, source=after.source.model_copy(update={"audio": (late,)})))
    ticks = after.index.pts[:]
    ticks[100] += round(0.02 / after.source.video.time_base)
    assert "times" in differs(before, replace(after, index=replace(after.index, pts=ticks)))

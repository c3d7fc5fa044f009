"""Real files with a manifest of what they are: the probe accepts and refuses, counts and measures them rightly."""

import time
from fractions import Fraction

import pytest

from services.fetcher.probe import Probe, Probed, ProbeLimits
from shared.errors import PermanentError
from shared.media.tools import ffmpeg_path, ffprobe_path
from tests.support.corpus import ACCEPTED, FOLDER, REFUSED, ROTATIONS, ROWS, duration_of, frames_of, rate_of

LIMITS = ProbeLimits(seconds=120, memory_bytes=8 * 2**30, max_duration=24 * 3600, max_pixels=40_000_000)
pytestmark = pytest.mark.skipif(not ROWS, reason="no folder of real files beside the repository")


async def probed(name: str) -> Probed:
    began = time.monotonic()
    try:
        return await Probe(ffprobe_path(), ffmpeg_path(), LIMITS)(FOLDER / name)
    finally:
        assert time.monotonic() - began < 30


@pytest.mark.parametrize("name", [name for name in ROWS if name in REFUSED])
async def test_what_is_refused(name: str) -> None:
    with pytest.raises(PermanentError) as caught:
        await probed(name)
    assert caught.value.code == REFUSED[name], caught.value.detail


@pytest.mark.parametrize("name", ACCEPTED)
async def test_what_is_accepted(name: str) -> None:
    row, found = ROWS[name], await probed(name)
    video = found.source.video
    assert f"{video.width}x{video.height}" == row["size"]
    assert video.frames == len(found.index.pts) == frames_of(name)
    rotation, aspect = (cell.partition("=")[2] for cell in row["rot_sar"].split())
    assert video.rotation == ROTATIONS.get(name, int(rotation) % 360)
    assert video.sample_aspect == (Fraction(aspect.replace(":", "/")) if aspect != "-" else 1)
    assert video.frame_rate == rate_of(name)
    heard = [] if row["audio"] == "none" else [track.split()[1:] for track in row["audio"].split(";")]
    assert [[f"{track.channels}ch", str(track.sample_rate)] for track in found.source.audio] == heard
    assert list(found.index.pts) == sorted(found.index.pts) and len(found.index.keyframes) > 0
    told = duration_of(name)
    if told is not None:
        assert found.source.duration == pytest.approx(told, abs=float(1 / video.frame_rate) + 0.03)

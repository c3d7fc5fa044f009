"""Files whose time stamps lie end with a code within seconds; no hour of anything is planned of them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from services.fetcher.probe.evidence import TRIED_FRAMES
from services.fetcher.probe.inspection import Opened
from services.fetcher.probe.probe import Probe
from shared.errors import PermanentError
from shared.media.tools import ffmpeg_path, ffprobe_path
from shared.process import Finished, ProcessTimeout
from tests.support.clips import made
from tests.support.parts import PROBE_LIMITS, fetched, probed, probed_audio

CHART = ("-f", "lavfi", "-i", "testsrc2=size=128x96:rate=25:duration=1")
TONE = ("-f", "lavfi", "-i", "sine=sample_rate=48000:duration=1")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-fps_mode", "passthrough")


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("frames", "apart"), [(23, 3600), (2, 86_400)])
def test_pictures_hours_apart(frames: int, apart: int, suffix: str) -> None:
    times = f"setpts=N*{apart}/TB"
    file = made(f"a.{suffix}", *CHART, "-vf", times, "-frames:v", str(frames), *X264, "-enc_time_base", "1/1000")
    with pytest.raises(PermanentError) as caught:
        probed(file)
    assert caught.value.code == "input_damaged" and "pictures follow each other" in caught.value.detail


@pytest.mark.parametrize("suffix", ["mkv", "mov"])
@pytest.mark.parametrize("hours", [2, 21])
def test_sound_hours_after_the_picture(hours: int, suffix: str) -> None:
    late = ("-itsoffset", str(hours * 3600), *TONE)
    file = made(f"a.{suffix}", *CHART, *late, *X264, "-c:a", "pcm_s16le")
    with pytest.raises(PermanentError) as caught:
        probed(file)
    assert caught.value.code == "input_damaged" and "no longer than what is in it" in caught.value.detail


def test_sound_alone_with_a_hole_of_hours() -> None:
    late = ("-itsoffset", "7200", *TONE)
    file = made("a.mkv", *TONE, *late, "-map", "0:a", "-map", "1:a", "-c:a", "pcm_s16le")
    with pytest.raises(PermanentError) as caught:
        probed_audio(file)
    assert caught.value.code == "input_damaged" and "hours without any" in caught.value.message


def test_a_picture_that_stays_while_somebody_talks() -> None:
    talk = ("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono,atrim=duration=3700")
    file = made("a.mkv", *CHART, *talk, "-vf", "trim=end_frame=1", *X264, "-c:a", "pcm_u8")
    assert fetched(file).plan.duration == pytest.approx(3700, abs=1)


class Hurried(Probe):
    """A probe on a machine that is too busy to decode more than one picture in time."""

    async def _run(
        self, opened: Opened, argv: Sequence[str], seconds: float, *, listing: Path | None = None
    ) -> Finished:
        if str(TRIED_FRAMES) in argv:
            raise ProcessTimeout("out of time")
        return await super()._run(opened, argv, seconds, listing=listing)


async def test_one_picture_is_enough_where_there_is_no_time_for_more() -> None:
    file = made("a.mp4", *CHART, *X264)
    found = await Hurried(ffprobe_path(), ffmpeg_path(), PROBE_LIMITS)(file)
    assert found.source == probed(file).source and len(found.evidence.trial.times) == 1

"""Small files out of the field through the whole service: each shows one kind of oddity, and what comes out is measured.

The table says what a viewer should get; nothing of it is taken from our own probe.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import cos, pi, sin
from pathlib import Path

import pytest

from stack.client import Client
from tests.support import frames, reference
from tests.support.corpus import FOLDER
from tests.support.film import Outcome, joined, send
from tests.support.sources import source_server
from tests.support.stack import RunningStack

FIELD = FOLDER / "field"
AT_ONCE = 4
pytestmark = [
    pytest.mark.skipif(os.environ.get("CORPUS") != "all", reason="takes minutes; make corpus runs it"),
    pytest.mark.skipif(not FIELD.exists(), reason="no folder of real files beside the repository"),
    pytest.mark.timeout(900),
]


@dataclass(frozen=True)
class Right:
    """What should come out of a file.

    Attributes:
        shape: width and height of the upright picture in square pixels, at any scale.
        rate: frames a second; None where it varies.
        seconds: length of the picture.
        squares: seconds at which a white square is seen, which has to stay one.
        tone: Hz of a pure tone that lasts from beginning to end; 0 where there is none.
        audio: number of tracks.
        like: seconds at which the picture is compared with ffmpeg's own, which shows this file right.
        dark: the border around the square is black.
    """

    shape: tuple[int, int]
    rate: Fraction | None
    seconds: float
    squares: tuple[float, ...] = ()
    tone: int = 0
    audio: int = 1
    like: tuple[float, ...] = ()
    dark: bool = False
    warned: str = ""


RIGHT = {
    "trim_rot90_720p.mp4": Right((720, 1280), Fraction(30000, 1001), 3.47, like=(0.0, 1.0)),
    "trim_rot270_bbb_1080p_51.mp4": Right((1080, 1920), Fraction(24), 0.5, like=(0.0, 0.3)),
    "mpts_same.ts": Right((640, 360), Fraction(25), 10.0, warned="program_dropped", like=(1.0,)),
    "mpts_clock.ts": Right((640, 360), Fraction(25), 10.0, warned="program_dropped", like=(1.0,)),
    "raw12.h264": Right((426, 240), Fraction(12), 6.0, audio=0),
    "raw30.h264": Right((426, 240), Fraction(30), 6.0, audio=0),
    "raw60.h264": Right((426, 240), Fraction(60), 6.0, audio=0),
    "raw60.hevc": Right((426, 240), Fraction(60), 6.0, audio=0),
    "ramp_180p_to_720p.webm": Right((1280, 720), None, 10.0, audio=0),
    "m01-mkv-crop-sides.mkv": Right((480, 360), Fraction(25), 3.0, squares=(1.0,)),
    "m02-mov-clap-480x360.mov": Right((480, 360), Fraction(25), 3.0, squares=(1.0,)),
    "m02-mov-clap-1920x1080-of-1088.mov": Right((1920, 1080), Fraction(25), 2.0, squares=(1.0,)),
    "m03-gif-last-300cs.gif": Right((320, 180), None, 4.4, audio=0),
    "m05-mp4-two-files.mp4": Right((320, 180), Fraction(15), 3.0, warned="source_joined"),
    "m09-mkv-late-up-to-4ms.mkv": Right((320, 180), Fraction(15), 8.0, tone=1000),
    "m09-mkv-wallclock.mkv": Right((320, 180), Fraction(15), 7.9, tone=1000),
    "m10-ts-4x3-then-16x9.ts": Right((4, 3), Fraction(25), 5.95, squares=(1.0, 4.5)),
    "m12-mov-hevc-alpha.mov": Right((320, 180), Fraction(30), 3.0, squares=(1.0,), dark=True),
    "o01-6.04s.mp4": Right((320, 180), Fraction(25), 6.04),
}
# What cannot be shown right is refused, with a word of what to change.
REFUSED = {
    "m04-webm-3s-then-8s.webm": ("input_damaged", "joined byte by byte"),
    "m08-hevc-fields.ts": ("input_unsupported_codec", "fields"),
}
named = pytest.mark.parametrize("name", RIGHT)


@pytest.fixture(scope="module")
def outcomes(stack: RunningStack) -> Iterator[dict[str, Outcome]]:
    """The outcome of every file, each sent once, a few at a time."""
    yield asyncio.run(_send_all(stack))


async def _send_all(stack: RunningStack) -> dict[str, Outcome]:
    turns = asyncio.Semaphore(AT_ONCE)
    async with source_server() as server, Client(stack.env) as client:

        async def one(name: str) -> tuple[str, Outcome]:
            async with turns:
                key = "field-" + name.replace(".", "-")
                resolutions = ["240p", "720p"] if name.startswith("ramp") else ["240p"]
                return name, await send(stack, client, server, key, FIELD / name, resolutions)

        return dict(await asyncio.gather(*(one(name) for name in (*RIGHT, *REFUSED))))


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_refused(name: str, outcomes: dict[str, Outcome]) -> None:
    job, (code, words) = outcomes[name].job, REFUSED[name]
    assert (job["status"], job["error_code"]) == ("Error", code), job
    assert words in job["error_message"]


@named
def test_shape_rate_and_length(name: str, outcomes: dict[str, Outcome], tmp_path: Path) -> None:
    right, outcome = RIGHT[name], outcomes[name]
    assert outcome.job["status"] == "Completed", [value for key, value in outcome.job.items() if "error" in key]
    best = max(outcome.event.plan.rungs, key=lambda rung: rung.height)
    file = joined(outcome.folder, best.name, tmp_path)
    width, height, aspect = frames.geometry(file)
    assert aspect == "1:1"
    assert abs(width - height * right.shape[0] / right.shape[1]) <= 2, (width, height)
    rate = outcome.event.plan.frame_rate
    shown = len(frames.packets(file))
    if right.rate:
        assert rate == right.rate
    assert shown / rate == pytest.approx(right.seconds, abs=max(0.06, 1.5 / rate))
    assert len(outcome.job["outputs"]["audio"]) == right.audio
    if right.warned:
        assert right.warned in {warning["code"] for warning in outcome.job["warnings"]}
    if name.startswith("ramp"):
        assert (best.width, best.height) == (1280, 720)


@pytest.mark.parametrize("name", [name for name, right in RIGHT.items() if right.squares])
def test_a_square_stays_one(name: str, outcomes: dict[str, Outcome], tmp_path: Path) -> None:
    right, outcome = RIGHT[name], outcomes[name]
    rung = outcome.event.plan.rungs[-1]
    file = joined(outcome.folder, rung.name, tmp_path)
    for second in right.squares:
        number = round(second * outcome.event.plan.frame_rate)
        picture = reference.output_picture(file, number, (rung.width, rung.height))
        lit = [divmod(place, rung.width) for place, luma in enumerate(picture.luma) if luma > 180]
        assert lit, second
        wide = max(x for _, x in lit) - min(x for _, x in lit) + 1
        high = max(y for y, _ in lit) - min(y for y, _ in lit) + 1
        assert abs(wide - high) <= 2 + 0.02 * high, (second, wide, high)
        if right.dark:
            assert max(picture.data[: 3 * rung.width * 4]) < 40


@pytest.mark.parametrize("name", [name for name, right in RIGHT.items() if right.like])
def test_the_picture_is_upright_and_whole(name: str, outcomes: dict[str, Outcome], tmp_path: Path) -> None:
    outcome, size = outcomes[name], (60, 60)
    plan, video = outcome.event.plan, outcome.event.source.video
    file = joined(outcome.folder, plan.rungs[-1].name, tmp_path)
    for second in RIGHT[name].like:
        ours = reference.output_picture(file, round(second * plan.frame_rate), size)
        instant = float(plan.origin) + second
        theirs = reference.source_pictures(FIELD / name, str(video.index), instant, size, "auto")
        best = max(theirs, key=lambda picture: reference.likeness(ours, picture))
        found = reference.likeness(ours, best)
        assert found > 0.93, (second, found)
        assert found > max(reference.likeness(ours, best.turned_over()), reference.likeness(ours, best.mirrored()))


@pytest.mark.parametrize("name", [name for name, right in RIGHT.items() if right.tone])
def test_a_tone_stays_clean(name: str, outcomes: dict[str, Outcome], tmp_path: Path) -> None:
    right, outcome = RIGHT[name], outcomes[name]
    file = joined(outcome.folder, outcome.event.plan.audio[0].folder, tmp_path)
    samples = reference.sound(file, "a:0", seconds=right.seconds)
    windows = [samples[start : start + 160] for start in range(800, len(samples) - 960, 160)]
    distorted = [number for number, window in enumerate(windows) if _residue(window, right.tone) > 0.05]
    assert len(windows) > 300
    assert not distorted, f"{len(distorted)} of {len(windows)} windows"


def _residue(values: Sequence[int], hertz: int) -> float:
    """The share of a window's energy at 8 kHz that is not a tone of that frequency, 0 to 1; 1 for silence."""
    energy = sum(value * value for value in values)
    if energy < 1000 * len(values):
        return 1.0
    angle = 2 * pi * hertz / 8000
    real = sum(value * cos(angle * place) for place, value in enumerate(values))
    imaginary = sum(value * sin(angle * place) for place, value in enumerate(values))
    return max(0.0, 1 - 2 * (real * real + imaginary * imaginary) / (len(values) * energy))

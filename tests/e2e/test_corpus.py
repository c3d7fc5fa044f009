"""Real files through the whole service: each comes out as it should be shown, or is refused with a code that fits it."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import pytest

from checker.reading import read_presentation
from checker.rules import apply_rules
from stack.client import Client
from tests.support import frames, reference
from tests.support.corpus import (
    ACCEPTED,
    COSTLY,
    FOLDER,
    REFUSED,
    ROTATIONS,
    ROWS,
    WARNED,
    duration_of,
    frames_of,
    rate_of,
)
from tests.support.film import Outcome, joined, send
from tests.support.sources import source_server
from tests.support.stack import RunningStack

pytestmark = [
    pytest.mark.skipif(not ROWS, reason="no folder of real files beside the repository"),
    # The first test waits for all of the jobs.
    pytest.mark.timeout(900),
]

RESOLUTION = "144p"
AT_ONCE = 8
REFUSED_WITHIN = 20
# Decoding the whole source for its last picture takes too long beyond this.
SHORT_SECONDS = 15
SQUARE_WITHIN = 0.005
HDR = ("smpte2084", "arib-std-b67")


@pytest.fixture(scope="module")
def outcomes(stack: RunningStack) -> Iterator[dict[str, Outcome]]:
    """The outcome of every file, each sent once, a few at a time."""
    yield asyncio.run(_send_all(stack, [name for name in ROWS if name not in COSTLY]))


async def _send_all(stack: RunningStack, names: list[str]) -> dict[str, Outcome]:
    turns = asyncio.Semaphore(AT_ONCE)
    async with source_server() as server, Client(stack.env) as client:

        async def one(number: int, name: str) -> tuple[str, Outcome]:
            async with turns:
                return name, await send(stack, client, server, f"corpus-{number}", FOLDER / name, [RESOLUTION])

        return dict(await asyncio.gather(*(one(number, name) for number, name in enumerate(names))))


@pytest.fixture
def outcome(request: pytest.FixtureRequest, outcomes: dict[str, Outcome]) -> Outcome:
    """Of the file that the test is about, which has to have completed."""
    found = outcomes[request.getfixturevalue("name")]
    assert found.job["status"] == "Completed", found.job
    return found


sent = pytest.mark.parametrize("name", [name for name in ACCEPTED if name not in COSTLY])


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_refused(name: str, outcomes: dict[str, Outcome]) -> None:
    job = outcomes[name].job
    assert (job["status"], job["error_code"]) == ("Error", REFUSED[name]), job
    assert job["error_message"].endswith(".") and "ffmpeg" not in job["error_message"]
    assert not list(outcomes[name].folder.glob("**/*.m3u8"))
    took = datetime.fromisoformat(job["end_time"]) - datetime.fromisoformat(job["start_time"])
    assert took.total_seconds() < REFUSED_WITHIN


@sent
def test_the_source_is_what_the_manifest_says(name: str, outcome: Outcome) -> None:
    row, source, video = ROWS[name], outcome.event.source, outcome.event.source.video
    assert f"{video.width}x{video.height}" == row["size"]
    assert video.frames == frames_of(name)
    assert video.frame_rate == rate_of(name)
    rotation, aspect = (cell.partition("=")[2] for cell in row["rot_sar"].split())
    assert video.rotation == ROTATIONS.get(name, int(rotation) % 360)
    pixel = Fraction(aspect.replace(":", "/")) if aspect != "-" else Fraction(1)
    # What is square to the eye is square.
    assert video.sample_aspect == (pixel if abs(pixel - 1) > SQUARE_WITHIN else 1)
    heard = [] if row["audio"] == "none" else [track.split()[1:] for track in row["audio"].split(";")]
    assert [[f"{track.channels}ch", str(track.sample_rate)] for track in source.audio] == heard
    told = duration_of(name)
    if told is not None:
        assert source.duration == pytest.approx(told, abs=float(1 / video.frame_rate) + 0.03)


@sent
def test_frames_and_duration(name: str, outcome: Outcome, tmp_path: Path) -> None:
    source, plan = outcome.event.source, outcome.event.plan
    shown = len(frames.packets(joined(outcome.folder, RESOLUTION, tmp_path)))
    assert shown == plan.frames
    seconds, expected = shown / plan.frame_rate, duration_of(name)
    # AudioRendition that outlasts the picture by less than 50 ms is no reason to show a picture for longer.
    own = source.video.end - plan.origin
    frame = float(1 / plan.frame_rate) + 1e-6
    assert min(abs(float(seconds - own)), abs(float(seconds) - source.duration)) <= frame
    if expected is not None:
        assert float(seconds) == pytest.approx(expected, abs=float(1 / source.video.frame_rate) + 0.03)
    per_frame = plan.frame_rate / source.video.frame_rate
    if not source.video.variable_rate and not source.audio:
        assert shown == round(frames_of(name) * per_frame)


@sent
def test_the_picture_is_that_of_the_source_upright_and_in_its_colours(
    name: str, outcome: Outcome, tmp_path: Path
) -> None:
    plan, video = outcome.event.plan, outcome.event.source.video
    file, rung = joined(outcome.folder, RESOLUTION, tmp_path), plan.rungs[-1]
    width, height, aspect = frames.geometry(file)
    assert (width, height, aspect) == (rung.width, rung.height, "1:1")
    size = (max(16, width // 4), max(16, height // 4))
    tagged = video.color.matrix is not None or video.pixel_format.startswith(("rgb", "bgr", "gbr", "pal"))
    untagged = "bt601" if min(video.width, video.height) <= 576 else "bt709"
    places = {0, min(plan.frames - 1, round(plan.frame_rate))}
    if outcome.event.source.duration <= SHORT_SECONDS:
        places.add(plan.frames - 1)
    for place in places:
        ours = reference.output_picture(file, place, size)
        instant = min(max(plan.origin + place / plan.frame_rate, video.start), video.end)
        stream = str(video.index)
        if outcome.moved:
            instant += Fraction(ROWS[name]["start"])
            stream = "v:0"
        matrix = "auto" if tagged else untagged
        theirs = reference.source_pictures(FOLDER / name, stream, float(instant), size, matrix)
        assert theirs, f"the reference shows nothing at {instant} s"
        best = max(theirs, key=lambda picture: reference.likeness(ours, picture))
        found = reference.likeness(ours, best)
        assert found > (0.85 if video.color.transfer in HDR else 0.93), (place, found)
        assert found >= max(reference.likeness(ours, best.turned_over()), reference.likeness(ours, best.mirrored()))
        if video.color.transfer not in HDR:
            assert reference.color_difference(ours, best) < 4, (place, ours.mean, best.mean)


@sent
def test_the_sound_is_that_of_the_source_in_step_and_as_loud(name: str, outcome: Outcome, tmp_path: Path) -> None:
    source, plan = outcome.event.source, outcome.event.plan
    assert len(outcome.job["outputs"]["audio"]) == len(source.audio)
    # The clock of a source that was moved begins at zero.
    shift = float(ROWS[name]["start"]) if outcome.moved else 0.0
    for number, (track, part) in enumerate(zip(source.audio, plan.audio, strict=True)):
        ours = reference.sound(joined(outcome.folder, part.folder, tmp_path), "a:0")
        theirs = reference.sound(FOLDER / name, f"a:{number}", float(plan.origin) + shift)
        assert abs(reference.delay(ours, theirs)) <= 20
        if track.channels <= 2:
            assert abs(reference.louder(ours, theirs)) < 0.5


@sent
async def test_no_rule_of_the_compliance_check_is_violated(name: str, outcome: Outcome) -> None:
    report = apply_rules(await read_presentation(str(outcome.folder / "video.m3u8")))
    assert report.violated == ()
    told = outcome.job["outputs"]["compliance"]
    assert told["ok"] and not told["violations"]


@sent
def test_damage_is_told_and_nothing_else(name: str, outcome: Outcome) -> None:
    harmless = {"resolution_dropped", "source_below_ladder", "single_part", "source_remuxed", "video_track_dropped"}
    told = {warning["code"] for warning in outcome.job["warnings"]} - harmless
    assert told == WARNED.get(name, set())

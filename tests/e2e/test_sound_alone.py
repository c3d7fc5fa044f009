"""A job that asks for the sound alone, whole: a podcast with a cover goes in, and a stream comes out that players play."""

import asyncio
from pathlib import Path

import pytest

from stack.client import Client
from tests.support.clips import made
from tests.support.jobs import Outcome, complete, follow, short_clip
from tests.support.observe import eventually, files_of
from tests.support.player import play, require_player
from tests.support.sources import source_server
from tests.support.stack import RunningStack
from tests.support.stream import decode_complaints, packets, seams

SECONDS = 14


def podcast() -> Path:
    """An MP3 with a cover."""
    cover = made("cover.png", "-f", "lavfi", "-i", "testsrc2=s=256x256:d=0.04", "-frames:v", "1")
    sound = ("-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=44100:duration={SECONDS}", "-i", str(cover))
    return made(
        "podcast.mp3", *sound, "-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v:0", "attached_pic", "-ac", "2"
    )


@pytest.fixture(scope="module")
def outcome(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The completed job and its output."""
    return asyncio.run(_outcome(stack, tmp_path_factory.mktemp("sound-alone")))


async def _outcome(stack: RunningStack, folder: Path) -> Outcome:
    async with source_server() as source, Client(stack.env) as client:
        file = podcast()
        body = {
            "input_url": source.host(file.name, file.read_bytes()),
            "output_path": client.location("e2e/sound-alone/"),
            "resolutions": ["audio"],
        }
        return await complete(stack, body, folder)


def test_the_job_says_what_came_out(outcome: Outcome) -> None:
    job, outputs = outcome.job, outcome.job["outputs"]
    assert (job["status"], job["progress"], job["resolutions"]) == ("Completed", 100, ["audio"])
    assert job["video_duration"] == SECONDS and not job["warnings"]
    assert outputs["renditions"] == [] and [one["codecs"] for one in outputs["audio"]] == ["mp4a.40.2"]
    assert outputs["compliance"]["ok"] and outputs["compliance"]["violations"] == []


def test_the_master_leads_to_the_sound_as_variant_and_as_rendition(outcome: Outcome) -> None:
    [variant], [rendition] = outcome.stream.variants, outcome.stream.audio
    assert variant.media.url == rendition.media.url
    assert set(variant.attributes) == {"BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS", "AUDIO"}
    assert outcome.stream.iframes == []
    [file] = outcome.files.values()
    assert decode_complaints(file) == ""
    found = packets(file)
    # The priming lies before.
    assert found[0].pts == pytest.approx(-1024 / 48_000, abs=1e-6) and seams(found) == []
    assert 0 <= found[-1].pts + found[-1].duration - SECONDS < 1024 / 48_000 + 1e-4


@pytest.mark.parametrize("kind", ["hls", "dash"])
async def test_players_play_it_to_the_end(kind: str, outcome: Outcome, tmp_path: Path) -> None:
    require_player()
    url = outcome.stream.url if kind == "hls" else outcome.stream.url.removesuffix("m3u8") + "mpd"
    report = await play("hls" if kind == "hls" else "dash", url, tmp_path / "player.png")
    assert report["fatal"] is None and report["ended"], report
    assert report["currentTime"] == pytest.approx(SECONDS, abs=0.1) and report["audio"] == 1


async def test_a_sound_file_is_no_video_and_a_film_without_sound_no_sound(stack: RunningStack) -> None:
    silent = made("silent.mp4", "-i", str(short_clip()), "-c", "copy", "-an")
    async with source_server() as source, Client(stack.env) as client:
        for file, resolution, code in (
            (podcast(), "240p", "input_no_video_stream"),
            (silent, "audio", "input_no_audio_stream"),
        ):
            body = {
                "input_url": source.host(file.name, file.read_bytes()),
                "output_path": client.location(f"e2e/{code}/"),
                "resolutions": [resolution],
            }
            job = await follow(client, body)
            assert (job["status"], job["error_code"]) == ("Error", code)
            assert "audio" in job["error_message"] or "sound" in job["error_message"]


async def test_nothing_is_left_in_the_work_space(outcome: Outcome, stack: RunningStack) -> None:
    org, job = stack.env["ORG_ID"], outcome.job["id"]
    await eventually(lambda: files_of(stack.layout.state, org, job) == [], "the work space is empty")

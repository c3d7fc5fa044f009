"""Bad input: an error that says what to do, quickly, and the next job runs."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from stack.client import Client
from tests.support.jobs import Api, follow, short_clip
from tests.support.sources import source_server
from tests.support.stack import RunningStack

SECONDS = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are no videos."""
    path = tmp_path_factory.mktemp("bad")
    (path / "page.mp4").write_text("<!DOCTYPE html><html><body>Not found</body></html>")
    (path / "report.mp4").write_bytes(b"%PDF-1.7\n" + b"0" * 5000)
    (path / "empty.mp4").write_bytes(b"")
    (path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nfile:///etc/passwd\n")
    (path / "script.mp4").write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    (path / "cut.mp4").write_bytes(short_clip().read_bytes()[: short_clip().stat().st_size * 3 // 4])
    return path


async def run(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    """Post a job and wait for its end, which must be quick."""
    begun = time.monotonic()
    job = await follow(client, body)
    assert time.monotonic() - begun < SECONDS, job
    return job


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("page.mp4", "input_not_video"),
        ("report.mp4", "input_not_video"),
        ("empty.mp4", "input_empty"),
        ("list.mp4", "input_not_video"),
        ("script.mp4", "input_not_video"),
        ("missing.mp4", "input_unreachable"),
    ],
)
async def test_a_file_that_is_no_video(name: str, code: str, folder: Path, stack: RunningStack) -> None:
    async with source_server() as source, Client(stack.env) as client:
        file = folder / name
        address = source.host(name, file.read_bytes()) if file.exists() else source.url(name)
        body = {"input_url": address, "output_path": client.location(f"bad/{name}/"), "resolutions": ["240p"]}
        job = await run(client, body)
        assert (job["status"], job["error_code"]) == ("Error", code)
        assert job["error_message"].endswith(".") or code == "input_unreachable"
        assert job["outputs"] is None and job["end_time"]


async def test_a_truncated_video(folder: Path, stack: RunningStack) -> None:
    async with source_server() as source, Client(stack.env) as client:
        body = {
            "input_url": source.host("cut.mp4", (folder / "cut.mp4").read_bytes()),
            "output_path": client.location("bad/cut/"),
            "resolutions": ["240p"],
        }
        job = await run(client, body)
        assert (job["status"], job["error_code"]) == ("Error", "input_truncated")


async def test_a_host_that_takes_no_connection(stack: RunningStack) -> None:
    """It may be back in a moment, so the job waits for a little; who follows it learns within seconds what for."""
    async with Client(stack.env) as client:
        body = {
            "input_url": "http://127.0.0.1:9/video.mp4",
            "output_path": client.location("bad/dead/"),
            "resolutions": ["240p"],
        }
        job = await client.post_job(body)
        assert job["waiting"] is None
        async with asyncio.timeout(SECONDS):
            async for state in client.follow(job["id"]):
                if state["waiting"]:
                    break
        shown = (await client.job(job["id"]))["waiting"]
        assert (shown["code"], shown["service"]) == ("input_unreachable", "fetcher")
        assert shown["message"].startswith("The specified input URL does not exist or cannot be accessed.")
        assert job["created"] < shown["since"] < shown["until"]
        async for state in client.follow(job["id"]):
            if state["status"] == "error":
                break
        ended = await client.job(job["id"])
        assert (ended["status"], ended["error_code"], ended["waiting"]) == ("Error", "input_unreachable", None)
        assert ended["error_message"] == "The specified input URL does not exist or cannot be accessed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("secret_key=", "secret_key=wrong"), "output_credentials_invalid"),
        (("access_key=", "access_key=wrong"), "output_credentials_invalid"),
        (("s3://", "s3://no-such-bucket-"), "output_bucket_missing"),
    ],
)
async def test_an_output_that_cannot_be_written(change: tuple[str, str], code: str, stack: RunningStack) -> None:
    clip = short_clip()
    async with source_server() as source, Client(stack.env) as client:
        location = client.location("bad/output/", with_keys=True).replace(*change, 1)
        job = await run(
            client,
            {"input_url": source.host(clip.name, clip.read_bytes()), "output_path": location, "resolutions": ["240p"]},
        )
        assert (job["status"], job["error_code"]) == ("Error", code), job


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"resolutions": ["999p"]}, "resolutions"),
        ({"resolutions": []}, "resolutions"),
        ({"resolutions": ["240p", "240p"]}, "resolutions"),
        ({"resolutions": "240p"}, "resolutions"),
        ({"resolution": ["240p"]}, "resolution"),
        ({"client_metadata": {"x": "y" * 11_000}}, "client_metadata"),
        ({"client_metadata": [1]}, "client_metadata"),
        ({"input_url": "ftp://example.com/a.mp4"}, "input_url"),
        ({"output_path": "https://example.com/"}, "output_path"),
        ({"encryption": "rot13"}, "encryption"),
        ({"profile": "best"}, "profile"),
        ({"priority": 1}, "priority"),
    ],
)
async def test_a_request_that_is_refused(change: dict[str, Any], field: str, stack: RunningStack) -> None:
    async with Client(stack.env) as client:
        body = {
            "input_url": "http://127.0.0.1:9/a.mp4",
            "output_path": client.location("bad/request/"),
            "resolutions": ["240p"],
        }
        status, answer = await Api(stack.env).call("POST", "transcoding_jobs/", body | change)
        assert status == 400, answer
        assert field in answer and isinstance(answer[field], list) and answer[field][0], answer


async def test_the_next_job_runs(stack: RunningStack) -> None:
    clip = short_clip()
    async with source_server() as source, Client(stack.env) as client:
        body = {
            "input_url": source.host(clip.name, clip.read_bytes()),
            "output_path": client.location("bad/next/"),
            "resolutions": ["240p"],
        }
        assert (await run(client, body))["status"] == "Completed"

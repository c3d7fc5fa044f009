"""What README.md says to paste works as pasted."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from stack.client import Client
from tests.support.jobs import short_clip
from tests.support.stack import RunningStack

ROOT = Path(__file__).resolve().parents[2]


def block(heading: str, language: str, *, level: int = 2) -> str:
    """The first block of code below a heading of the README."""
    section = (ROOT / "README.md").read_text().partition(f"\n{'#' * level} {heading}\n")[2]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found, f"README.md has no {language} block below “{heading}”"
    return found[1]


def test_the_curl_session(stack: RunningStack) -> None:
    session = block("A session with curl", "sh").replace(". .millrace/env", f". {stack.layout.env_file}")
    # A shorter clip does: what is tried is what is done with it.
    assert " -t 30 " in session
    session = session.replace(" -t 30 ", " -t 8 ")
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", session],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    job = json.loads(next(line for line in lines if line.startswith("{")))
    assert job["client_metadata"] == {"lesson": 7}
    told = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert told[-1]["status"] == "completed"
    assert any(line.startswith(stack.env["PLAYBACK_URL"]) and line.endswith("/video.m3u8") for line in lines)
    assert job["id"] in [each["id"] for line in lines if '"results"' in line for each in json.loads(line)["results"]]
    assert json.dumps({"message": "Job is already completed."}) in lines


async def test_the_listener_on_the_bus(stack: RunningStack, tmp_path: Path) -> None:
    making = block("Follow jobs on the bus", "sh").replace(". .millrace/env", f". {stack.layout.env_file}")
    subprocess.run(["bash", "-eu", "-c", making], cwd=tmp_path, check=True, timeout=60)
    script = tmp_path / "follow.py"
    script.write_text(block("Follow jobs on the bus", "python"))
    python = str(ROOT / ".venv/bin/python")
    listener = await asyncio.create_subprocess_exec(
        python, "-u", str(script), cwd=tmp_path, env=os.environ | stack.env, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with Client(stack.env) as client:
            await client.upload(short_clip(), "readme/in.mp4")
            body = {"input_path": client.location("readme/in.mp4"), "output_path": client.location("readme/out/")}
            job = await client.post_job({**body, "resolutions": ["144p"]})
            heard = await asyncio.wait_for(_until_completed(listener, job["id"]), 90)
        assert [heard[0], heard[-1]] == ["created", "completed"]
        assert heard.count("part_transcoded") == heard.count("part_uploaded") >= 2
    finally:
        listener.kill()
        await listener.wait()


async def _until_completed(listener: asyncio.subprocess.Process, job: str) -> list[str]:
    heard: list[str] = []
    assert listener.stdout
    async for line in listener.stdout:
        _, about, kind = line.decode().split()[:3]
        if about == job:
            heard.append(kind)
        if heard[-1:] == ["completed"]:
            return heard
    raise AssertionError("the listener has ended")


async def test_the_python_client(stack: RunningStack, tmp_path: Path) -> None:
    """The README's few lines, and all that the client's own README shows."""
    async with Client(stack.env) as client:
        await client.upload(short_clip(), "in/clip.mp4")
    shutil.copy(short_clip(), tmp_path / "film.mp4")
    page = (ROOT / "client/README.md").read_text()
    few, all_of_it = await asyncio.gather(
        _run(tmp_path / "few.py", block("From Python", "python"), stack.env),
        _run(tmp_path / "all.py", "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)), stack.env),
    )
    assert few.splitlines()[0].split()[0] in ("queued", "fetching")
    assert few.splitlines()[-1] == f"s3://{stack.env['S3_BUCKET']}/python/video.m3u8"
    assert f"s3://{stack.env['S3_BUCKET']}/out/client/video.m3u8 [" in all_of_it
    assert "completed done 100 %" in all_of_it
    assert "Job is already completed." in all_of_it
    assert "'completed': " in all_of_it
    assert "[('" in all_of_it
    assert "100%" in all_of_it
    assert "/playback/video.m3u8?expires=" in all_of_it
    assert '"999p" is not a valid choice.' in all_of_it


async def _run(script: Path, text: str, variables: dict[str, str]) -> str:
    """What a script of the documents prints, which has to end well."""
    script.write_text(text)
    settings = {
        "MILLRACE_API_URL": variables["API_URL"],
        "MILLRACE_ORG": variables["ORG_ID"],
        "MILLRACE_TOKEN": variables["API_TOKEN"],
        "PYTHONPATH": str(ROOT / "client/src"),
    }
    python = await asyncio.create_subprocess_exec(
        str(ROOT / ".venv/bin/python"), str(script), cwd=script.parent, env=os.environ | variables | settings,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, wrong = await asyncio.wait_for(python.communicate(), 120)
    assert python.returncode == 0, wrong.decode()
    return printed.decode()

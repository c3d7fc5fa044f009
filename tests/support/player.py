"""Plays a stream in headless Chromium, with hls.js, dash.js or Shaka."""

import asyncio
import fcntl
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

Player = Literal["hls", "dash", "shaka"]

_FOLDER = Path(__file__).parent.parent / "e2e" / "player"


def require_player() -> str:
    """Path of Chromium; skips the test, saying why, where Chromium or npm is missing."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("Chromium is not installed: on Debian, apt-get install chromium")
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("Node.js and npm are not installed")
    return chromium


async def play(
    kind: Player, url: str, screenshot: Path, *, speed: float = 4, sound: Path | None = None
) -> dict[str, Any]:
    """Play to the end; returns the report of tests/e2e/player/play.mjs, which gives up on a player that stands still.

    Args:
        sound: a file that gets what is heard.
    """
    chromium = require_player()
    heard = [str(sound)] if sound else []
    return await _run("play.mjs", kind, url, chromium, str(screenshot), str(speed), *heard)


@dataclass(frozen=True)
class Keyed:
    """An encrypted stream, or one in the clear to be compared with it.

    Attributes:
        keys: a key for each key id, in hexadecimal; nothing where the player needs none.
    """

    name: str
    kind: Player
    url: str
    keys: Mapping[str, str]


@dataclass(frozen=True)
class Still:
    """A picture to be taken: of the rendition that is so high, with the sound of a language, at a second of the film."""

    height: int
    language: str
    at: float


async def play_keyed(streams: Sequence[Keyed], stills: Sequence[Still], folder: Path) -> dict[str, dict[str, Any]]:
    """Play all of these at once to their end; returns the reports of tests/e2e/player/decrypt.mjs by name.

    Args:
        folder: gets the stills, as ``<name>-<number>.png``.
    """
    told = [{**asdict(one), "stills": [asdict(still) for still in stills]} for one in streams]
    return await _run("decrypt.mjs", require_player(), str(folder), given=json.dumps(told))


async def open_page(url: str, screenshot: Path, *, until: str = "") -> dict[str, Any]:
    """Open a page that has a video and play that to its end, or until it says something; tests/e2e/player/page.mjs' report."""
    return await _run("page.mjs", url, require_player(), str(screenshot), until)


async def browse_documentation(url: str, screenshot: Path, *, org: str, token: str) -> dict[str, Any]:
    """Log in on the page of the API and list the jobs of an organization there; tests/e2e/player/docs.mjs' report."""
    return await _run("docs.mjs", url, require_player(), str(screenshot), org, given=token)


async def work_with_console(env: Mapping[str, str], what: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Go through the console of a stack as a person does; returns the report of tests/e2e/player/console.mjs.

    Args:
        env: of the stack. what: the script wants to know beside that. folder: gets a picture where a step fails.
    """
    told = {
        "api": env["API_URL"],
        "storage": env["S3_ENDPOINT"],
        "username": env["API_USERNAME"],
        "password": env["API_PASSWORD"],
        "org": env["ORG_ID"],
        "chromium": require_player(),
        "folder": str(folder),
    }
    return await _run("console.mjs", given=json.dumps({**told, **what}))


async def _run(script: str, *arguments: str, given: str = "") -> dict[str, Any]:
    await _install()
    process = await asyncio.create_subprocess_exec(
        "node", script, *arguments, cwd=_FOLDER,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = await process.communicate(given.encode())
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, err.decode()
    report: dict[str, Any] = json.loads(out)
    return report


async def _install() -> None:
    """Install the players, unless they are; only one of several test processes does."""
    with (_FOLDER / "package-lock.json").open() as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        await _install_once()


async def _install_once() -> None:
    installed = _FOLDER / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= (_FOLDER / "package-lock.json").stat().st_mtime:
        return
    process = await asyncio.create_subprocess_exec(
        "npm", "ci", "--ignore-scripts", cwd=_FOLDER, env={**os.environ, "npm_config_loglevel": "error"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), timeout=240)
    if process.returncode != 0:
        pytest.skip(f"npm could not install the players: {out.decode()[-300:]}")

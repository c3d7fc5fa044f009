"""Plays a stream in headless Chromium, with hls.js, dash.js or Shaka."""

import asyncio
import fcntl
import json
import os
import shutil
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


async def open_page(url: str, screenshot: Path, *, until: str = "") -> dict[str, Any]:
    """Open a page that has a video and play that to its end, or until it says something; tests/e2e/player/page.mjs' report."""
    return await _run("page.mjs", url, require_player(), str(screenshot), until)


async def _run(script: str, *arguments: str) -> dict[str, Any]:
    await _install()
    process = await asyncio.create_subprocess_exec(
        "node", script, *arguments, cwd=_FOLDER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await process.communicate()
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

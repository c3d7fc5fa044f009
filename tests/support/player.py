"""Plays a stream in headless Chromium, with hls.js or dash.js."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal

import pytest

_FOLDER = Path(__file__).parent.parent / "e2e" / "player"


def require_player() -> str:
    """Path of Chromium; skips the test, saying why, where Chromium or npm is missing."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("Chromium is not installed: on Debian, apt-get install chromium")
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("Node.js and npm are not installed")
    return chromium


async def play(kind: Literal["hls", "dash"], url: str, screenshot: Path, *, speed: float = 4) -> dict[str, Any]:
    """Play to the end; returns the report of tests/e2e/player/play.mjs, which gives up on a player that stands still."""
    chromium = require_player()
    await _install()
    process = await asyncio.create_subprocess_exec(
        "node", "play.mjs", kind, url, chromium, str(screenshot), str(speed),
        cwd=_FOLDER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, err.decode()
    report: dict[str, Any] = json.loads(out)
    return report


async def _install() -> None:
    if (_FOLDER / "node_modules" / "playwright-core").exists():
        return
    process = await asyncio.create_subprocess_exec(
        "npm", "ci", "--ignore-scripts", cwd=_FOLDER, env={**os.environ, "npm_config_loglevel": "error"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), timeout=240)
    if process.returncode != 0:
        pytest.skip(f"npm could not install the players: {out.decode()[-300:]}")

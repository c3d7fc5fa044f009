"""The console's plain functions, tested where they run: by Node.js, without a browser."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_they_do_what_their_tests_say() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    # The console has no package.json, since browsers need none: this says that its files are modules.
    command = [
        node,
        "--experimental-default-type=module",
        "--test",
        *map(str, sorted(ROOT.glob("tests/console/*.mjs"))),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]

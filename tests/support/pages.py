"""What a page of the documentation tells people to type and to save, for tests that do it."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.stack import RunningStack

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "docs/tutorial.md", *(ROOT / "docs/how-to").glob("*.md")])
_BLOCK = re.compile(r"(?m)^```(\w+)\n(.*?)^```$", re.DOTALL)
_SAVED = re.compile(r"Save this as `([^`]+)`")
_NOT_RUN = "*Not run by the tests: "


@dataclass
class Steps:
    """A page as somebody follows it.

    Attributes:
        files: what it says to save, by name. commands: what it says to type, in order.
        left_out: commands that it says are not run by tests.
    """

    files: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def steps(page: Path) -> Steps:
    """Read a page. The paragraph before a block says what becomes of it."""
    found, text = Steps(), page.read_text()
    for block in _BLOCK.finditer(text):
        before = text[: block.start()].rstrip().rpartition("\n\n")[2]
        if saved := _SAVED.search(before):
            found.files[saved[1]] = block[2]
        elif block[1] == "sh":
            (found.left_out if before.startswith(_NOT_RUN) else found.commands).append(block[2])
    return found


def follow(page: Path, folder: Path, stack: RunningStack, *, port: int) -> str:
    """Save and type what a page says, in a folder that looks like the repository; what was printed.

    Args:
        port: a free one, for what listens in the page's commands.
    """
    for entry in ROOT.iterdir():
        if not entry.name.startswith(".") or entry.name == ".venv":
            (folder / entry.name).symlink_to(entry)
    (folder / ".millrace").symlink_to(stack.layout.state)
    path = _with_make(folder)
    found = steps(page)
    for name, text in found.files.items():
        (folder / name).write_text(text)
    done = subprocess.run(
        # A shorter film does: what is tried is what is done with it.
        ["bash", "-eu", "-o", "pipefail", "-c", "\n".join(found.commands).replace(" -t 20 ", " -t 2 ")],
        cwd=folder,
        env=os.environ | {"PATH": path, "PORT_BASE": str(stack.layout.port_base), "PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _with_make(folder: Path) -> str:
    """A PATH whose make installs nothing: what the tests run in stands already."""
    programs = folder / ".programs"
    programs.mkdir()
    make = programs / "make"
    make.write_text(f"#!/bin/sh\nPATH='{os.environ['PATH']}' exec make --old-file .venv/.installed \"$@\"\n")
    make.chmod(0o755)
    return f"{programs}:{os.environ['PATH']}"

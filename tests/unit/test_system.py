"""What another system than Linux on x86-64 or aarch64 is told, and that the lock file has wheels for both."""

import platform
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from shared import system
from tools.lock_platforms import PLATFORMS, PYTHONS, tags

ROOT = Path(__file__).resolve().parents[2]

# As on a Mac: a C library without the calls that are Linux's own. Whatever is asked of it is an error.
ON_A_MAC = """
# First what asks for modules that only a real Mac has.
import asyncio, ctypes, platform, sys, sysconfig, urllib.request
sysconfig.get_config_vars()

class Library:
    def __init__(self, *_, **__): self.syscall = lambda *_: -1
    def __getattr__(self, name): raise AttributeError(name)

sys.platform, platform.system, ctypes.CDLL = "darwin", lambda: "Darwin", Library
{start}
"""
STARTS = {
    "stack": 'import runpy; sys.argv = ["stack", "up"]; runpy.run_module("stack", run_name="__main__")',
    "fetcher": 'import runpy; runpy.run_module("services.fetcher", run_name="__main__")',
    "nothing yet": 'import runpy; runpy.run_module("shared.system", run_name="__main__")',
}

# Some packages are locked in two versions, the older one for the first patches of the oldest Python.
ANY_PYTHON: list[dict[str, str | set[str] | frozenset[str]]] = [
    {"python_full_version": f"{python}.{patch}", "python_version": python} for python in PYTHONS for patch in (0, 99)
]


@pytest.mark.parametrize("start", STARTS)
def test_a_mac_is_told_in_one_sentence_what_to_do_instead(start: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_A_MAC.format(start=STARTS[start])],
        env={"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert re.fullmatch(r"(error: )?Millrace runs on Linux only, .* Darwin\. Use `docker compose up` .*\n", done.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("machine", "libc", "named"),
    [
        ("x86_64", ("glibc", "2.28"), None),
        ("aarch64", ("glibc", "2.41"), None),
        ("riscv64", ("glibc", "2.41"), "this is riscv64."),
        ("x86_64", ("glibc", "2.17"), "this is glibc 2.17."),
        ("armv7l", ("", ""), "this is armv7l, another C library."),
    ],
)
def test_the_stack_wants_a_processor_and_a_c_library_that_the_wheels_are_for(
    machine: str, libc: tuple[str, str], named: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: libc)
    reason = system.why_no_stack()
    assert (reason is None) == (named is None)
    assert not named or (named in str(reason) and "docker compose up" in str(reason))
    assert system.why_no_service() is None


def test_the_lock_has_a_wheel_of_each_package_for_both_processors_and_all_pythons() -> None:
    locked = _locked()
    found = defaultdict[str, set[Tag]](set)
    for line in PLATFORMS.read_text().splitlines():
        digest, file = line.split("  ")
        if file.endswith(".whl"):
            name, *_, suits = parse_wheel_filename(file)
            found[name] |= suits
        else:
            # Its source alone is offered; whoever installs it needs no compiler, for it has nothing to compile.
            name = parse_sdist_filename(file)[0]
            assert name in {"nkeys"}
            found[name].add(Tag("py3", "none", "any"))
        assert digest in locked[name], f"{file}: run `make lock`"
    assert set(found) == set(locked), "run `make lock`"
    for machine in system.MACHINES:
        for python in PYTHONS:
            wanted = tags(machine, python)
            lacking = [package for package, suited in found.items() if not suited & wanted]
            assert not lacking, f"nothing for Python {python} on {machine}"


def _locked() -> dict[str, set[str]]:
    """The hashes of each package that Linux needs."""
    locked = defaultdict[str, set[str]](set)
    for block in re.split(r"(?m)^(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text())[1:]:
        requirement = Requirement(block.partition(" \\\n")[0])
        if requirement.marker is None or any(requirement.marker.evaluate(python) for python in ANY_PYTHON):
            locked[canonicalize_name(requirement.name)] |= set(re.findall(r"sha256:(\w{64})", block))
    return locked

"""``python -m tools.lock_platforms``: which files pip takes for the lock, on each processor that the README names.

A hash in requirements.lock does not tell what its file is for. This asks the index and writes requirements.platforms: of every
file that pip would choose its SHA-256 and its name, which holds what it suits. A test holds that against the lock, offline.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.tags import Tag, compatible_tags, cpython_tags

from shared.system import GLIBC, MACHINES

ROOT = Path(__file__).resolve().parent.parent
PLATFORMS = ROOT / "requirements.platforms"
PYTHONS = ("3.11", "3.14")
"""The oldest Python that pyproject.toml allows, and the newest that the lock was resolved for."""
# Of the patches of a Python: some packages refuse the first ones.
_NEWEST = 99


def main() -> None:
    """Write the list; pip says on standard error what is missing, and nothing is written then."""
    files = {file for machine in MACHINES for python in PYTHONS for file in _chosen(machine, python)}
    PLATFORMS.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(files)))


def tags(machine: str, python: str) -> set[Tag]:
    """What a wheel may be tagged with, to be installed by a CPython with the oldest C library."""
    version = tuple(int(piece) for piece in python.split("."))
    platforms = _platforms(machine)
    return {
        *cpython_tags(version, platforms=platforms),
        *compatible_tags(version, f"cp{version[0]}{version[1]}", platforms),
    }


def _platforms(machine: str) -> list[str]:
    # As PEP 600 has them; for x86-64 alone, glibc 2.5 and 2.12 had names of their own as well.
    newest_first = [f"manylinux_{GLIBC[0]}_{minor}_{machine}" for minor in range(GLIBC[1], 4, -1)]
    return [
        *newest_first,
        f"manylinux2014_{machine}",
        f"manylinux2010_{machine}",
        f"manylinux1_{machine}",
        f"linux_{machine}",
    ]


def _chosen(machine: str, python: str) -> Iterator[tuple[str, str]]:
    """Name and SHA-256 of each file that pip would install."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps"]
        command += [
            "--report",
            str(report),
            "--target",
            folder,
            "--python-version",
            f"{python}.{_NEWEST}",
            "--implementation",
            "cp",
        ]
        for platform in _platforms(machine):
            command += ["--platform", platform]
        subprocess.run([*command, "--require-hashes", "-r", str(ROOT / "requirements.lock")], check=True)
        for package in json.loads(report.read_text())["install"]:
            file = package["download_info"]
            yield unquote(urlsplit(file["url"]).path.rpartition("/")[2]), file["archive_info"]["hashes"]["sha256"]


if __name__ == "__main__":
    main()

"""Versions of Millrace to go over between: this working tree, and what a revision of its history was."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stack.services import LOOPBACK
from tests.support.servers import REPOSITORY

_LOCK = "requirements.lock"
_EVENTS = "shared/events.py"
LIST_OF_HOSTS = {"MILLRACE_ALLOWED_HOSTS": LOOPBACK}


class NoVersion(Exception):
    """A version cannot be had; the message says why."""


@dataclass(frozen=True)
class Version:
    """A version that services can be of.

    Attributes:
        tree: where its packages lie.
        python: the interpreter of an environment with its requirements.
        launcher: the module that runs a service's module instead of Python itself, if any.
        settings: environment variables that are spelled otherwise in other versions.
    """

    name: str
    tree: Path = REPOSITORY
    python: str = sys.executable
    launcher: str = ""
    settings: Mapping[str, str] = field(default_factory=lambda: LIST_OF_HOSTS)

    def argv(self, module: str, *arguments: str) -> list[str]:
        """The command line that runs one of its modules."""
        through = [self.launcher] if self.launcher else []
        return ["/usr/bin/env", f"--chdir={self.tree}", self.python, "-m", *through, module, *arguments]


WORKING_TREE = Version("working tree")


def default_revision() -> str:
    """The last release; where there is none, what was before the last change of the events."""
    if tag := _git("describe", "--tags", "--abbrev=0", check=False):
        return tag
    if _git("status", "--porcelain", "--", _EVENTS):
        return "HEAD"
    return _git("log", "-1", "--format=%h", "--", _EVENTS) + "^"


def of_revision(revision: str, folder: Path) -> Version:
    """What a revision was, unpacked into a folder, with an environment of its own if it has other requirements.

    Raises:
        NoVersion: there is no such revision, or its requirements cannot be installed.
    """
    commit = _git("rev-parse", "--short", f"{revision}^{{commit}}", check=False)
    if not commit:
        raise NoVersion(f"there is no revision {revision} here")
    tree = folder / commit
    packed = subprocess.run(["git", "archive", commit], cwd=REPOSITORY, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(tree, filter="data")
    # Version 0.1 had a switch instead of a list.
    lists_hosts = "allowed_hosts" in (tree / "shared" / "settings.py").read_text()
    settings = LIST_OF_HOSTS if lists_hosts else {"MILLRACE_ALLOW_PRIVATE_ADDRESSES": "true"}
    same = (tree / _LOCK).read_bytes() == (REPOSITORY / _LOCK).read_bytes()
    python = sys.executable if same else _installed(tree, folder / f"{commit}-environment")
    return Version(commit, tree, python, settings=settings)


def _installed(tree: Path, environment: Path) -> str:
    python = str(environment / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    install = [
        python,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "--no-deps",
        "--require-hashes",
    ]
    done = subprocess.run([*install, "-r", str(tree / _LOCK)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoVersion(f"the requirements of {tree.name} cannot be installed here:\n{done.stderr[-1000:]}")
    return python


def _git(*arguments: str, check: bool = True) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NoVersion(f"git is needed for this: {error}") from error
    if check and done.returncode != 0:
        raise NoVersion(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip() if done.returncode == 0 else ""

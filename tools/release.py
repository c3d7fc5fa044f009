"""``python -m tools.release 1.2.3``: tag the commit that is checked out as a release, with its part of the changelog.

Nothing is pushed and no file is changed: the version is the tag, and whoever reads the version reads it from there.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(alpha|beta|rc)\.\d+)?")


class NotReady(Exception):
    """The release can't be made; the message says what to do first."""


def sections(changelog: str) -> dict[str, str]:
    """The text below each heading of the second level, by heading: ``{"Unreleased": …, "0.1.0": …}``."""
    parts = re.split(r"(?m)^## +(.+?) *$", changelog)[1:]
    return {title: text.strip() for title, text in zip(parts[::2], parts[1::2], strict=True)}


def notes_of(version: str, changelog: str) -> str:
    """What the changelog says of a version.

    Raises:
        NotReady: the version is none, the changelog lacks it, or something is still listed as unreleased.
    """
    if not _VERSION.fullmatch(version):
        raise NotReady(f"VERSION must look like 1.2.3 or 1.2.3-rc.1, not {version!r}")
    found = sections(changelog)
    if not found.get(version):
        raise NotReady(f"CHANGELOG.md has no section `## {version}` with something in it")
    if found.get("Unreleased"):
        raise NotReady(f"CHANGELOG.md still lists something under Unreleased: move it to {version}")
    return found[version]


def release(root: Path, version: str) -> str:
    """Make the tag ``v<version>``, with the changelog's section as its message; answers its name.

    Raises:
        NotReady: as in ``notes_of``; or the tree is not clean, or there is such a tag.
    """
    notes, tag = notes_of(version, (root / "CHANGELOG.md").read_text()), f"v{version}"
    if changed := _git(root, "status", "--porcelain"):
        raise NotReady(f"the tree is not clean:\n{changed}")
    if _git(root, "tag", "--list", tag):
        raise NotReady(f"there is a tag {tag}")
    # Only blanks are cleaned up: a heading of the section begins like a comment of git's.
    _git(root, "tag", "--annotate", "--cleanup=whitespace", "--message", f"Millrace {version}\n\n{notes}", tag)
    return tag


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotReady(done.stderr.strip())
    return done.stdout.strip()


if __name__ == "__main__":
    try:
        name = release(ROOT, sys.argv[1] if len(sys.argv) > 1 else "")
    except NotReady as reason:
        sys.exit(f"error: {reason}")
    print(f"Tagged {name}. To publish it: git push origin {name}")

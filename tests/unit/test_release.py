"""Releases: a tag with the changelog's words, and only of what is whole."""

import subprocess
from pathlib import Path

import pytest

from tools.release import NotReady, notes_of, release, sections

CHANGELOG = """# Changelog

## Unreleased

## 0.2.0

### Added

- Something new.

## 0.1.0

The first version.
"""


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, which nothing of the user's settings reaches."""
    who = {"NAME": "Someone", "EMAIL": "someone@example.com"}
    for role in ("AUTHOR", "COMMITTER"):
        for key, value in who.items():
            monkeypatch.setenv(f"GIT_{role}_{key}", value)
    # A commit hook runs the tests with these set: they would lead to the repository that is being committed to.
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "All of it")
    return tmp_path


def test_a_changelog_by_version() -> None:
    assert sections(CHANGELOG) == {
        "Unreleased": "",
        "0.2.0": "### Added\n\n- Something new.",
        "0.1.0": "The first version.",
    }


def test_the_tag_says_what_the_changelog_says(root: Path) -> None:
    assert release(root, "0.2.0") == "v0.2.0"
    assert git(root, "describe", "--exact-match") == "v0.2.0"
    message = git(root, "tag", "--list", "--format=%(contents)", "v0.2.0")
    assert message == "Millrace 0.2.0\n\n### Added\n\n- Something new."
    with pytest.raises(NotReady, match=r"there is a tag v0\.2\.0"):
        release(root, "0.2.0")


@pytest.mark.parametrize("name", ["CHANGELOG.md", "new.py"])
def test_what_is_not_committed_is_not_released(name: str, root: Path) -> None:
    with (root / name).open("a") as file:
        file.write("\nMore.\n")
    with pytest.raises(NotReady, match=name):
        release(root, "0.2.0")
    assert git(root, "tag") == ""


@pytest.mark.parametrize("version", ["", "v0.2.0", "0.2", "0.2.0.1", "01.2.0", "0.2.0-x", "0.2.0 "])
def test_what_is_no_version(version: str) -> None:
    with pytest.raises(NotReady, match="VERSION"):
        notes_of(version, CHANGELOG.replace("0.2.0", version or "0.2.0"))


def test_the_changelog_comes_first() -> None:
    with pytest.raises(NotReady, match=r"no section `## 0\.3\.0`"):
        notes_of("0.3.0", CHANGELOG)
    with pytest.raises(NotReady, match="under Unreleased"):
        notes_of("0.2.0", CHANGELOG.replace("## Unreleased\n", "## Unreleased\n\n- Not yet.\n"))

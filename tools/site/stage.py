"""What the site is made from: the Markdown as it lies in the repository, and the files that it links to.

The pages keep their places relative to each other, so that a link that leads somewhere on a code host leads there on the site.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

_LINK = re.compile(r"\]\(([^)#?\s]+)[^)]*\)")
_OUTSIDE = re.compile(r"[a-z]+:")


def pages(root: Path) -> list[Path]:
    """The pages, relative to the repository."""
    found = [*root.glob("*.md"), *root.glob("docs/**/*.md"), root / "client/README.md"]
    return sorted(path.relative_to(root) for path in found)


def stage(root: Path, folder: Path) -> None:
    """Copy all pages into a folder, and beside them what they link to.

    Raises:
        FileNotFoundError: a link leads to nothing.
    """
    for page in pages(root):
        _copy(root, folder, page)
        for target in _targets(root, page):
            _copy(root, folder, target)


def _targets(root: Path, page: Path) -> Iterator[Path]:
    """The files that a page links to, without the pages among them."""
    for link in _LINK.findall((root / page).read_text()):
        if _OUTSIDE.match(link):
            continue
        target = (root / page.parent / link).resolve().relative_to(root.resolve())
        if not (root / target).exists():
            raise FileNotFoundError(f"{page} links to {link}, which is not there")
        if (root / target).is_file() and target.suffix != ".md":
            yield target


def _copy(root: Path, folder: Path, path: Path) -> None:
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(root / path, place)

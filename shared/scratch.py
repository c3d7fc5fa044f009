"""Small things done to folders that others use at the same time."""

import errno
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

TRASH = ".removing-"
"""How the names of folders begin that are being removed."""


def discard(root: Path, folder: Path) -> None:
    """Remove a folder below ``root``, if it is there.

    It is moved out of sight first: whoever still writes there by name fails, instead of filling it up again while it is being
    removed.

    Raises:
        OSError: something could not be removed; try again.
    """
    trash = root / f"{TRASH}{folder.parent.name}-{folder.name.lstrip('.')}-{secrets.token_hex(4)}"
    try:
        folder.rename(trash)
    except FileNotFoundError:
        return
    # Without heed to errors, because a sweep may be removing the same; what counts is the end.
    shutil.rmtree(trash, ignore_errors=True)
    if trash.exists():
        raise OSError(errno.ENOTEMPTY, "could not be removed", str(trash))


def inside(folder: Path) -> list[Path]:
    """What is in a folder; nothing if it is none, or has just been removed."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return list(folder.iterdir())
    return []


def size_and_blocks(path: Path) -> tuple[int, int]:
    """Length of a file, and how much of that is on the disk; zeros if it is gone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, min(found.st_size, found.st_blocks * 512)


def size_on_disk(path: Path) -> int:
    """How many bytes of a file are on the disk; 0 if it is gone."""
    return size_and_blocks(path)[1]

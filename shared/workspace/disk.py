"""What both work spaces need of a disk: folders that belong to one process, room, and what a disk's errors mean."""

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.errors import Outage, Postponed

_MOST_TRIES = 10

TRASH = ".removing-"
"""How the names of folders begin that are being removed."""

# What a disk says that is broken or was made read-only, and a network file system whose server is away.
_OUT_OF_ORDER = (errno.EIO, errno.EROFS, errno.ESTALE, errno.ENOTCONN, errno.ENODEV)


@contextmanager
def private_folder(parent: Path, name: str) -> Iterator[Path]:
    """A new folder ``<parent>/<name>-<random>`` that belongs to its worker. It is removed at the end, with what is left in it.

    What killed workers have left under the same name is removed first. A duplicate worker may still be at it, as when the
    bus was away for longer than a lease: its folder is locked for as long as it lives, and stays.
    """
    for abandoned in parent.glob(f"{name}-*"):
        remove_unless_locked(abandoned)
    token = secrets.token_hex(4)
    unnamed, folder = parent / f".{token}", parent / f"{name}-{token}"
    with full_disk_is_transient():
        unnamed.mkdir(parents=True)
    lock = os.open(unnamed, os.O_RDONLY)
    try:
        # Locked before it has the name by which others look for it.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(folder)
        with full_disk_is_transient():
            yield folder
    finally:
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def remove_unless_locked(folder: Path) -> bool:
    """Remove a folder whose workers are dead: the kernel gives their lock back with the process. Returns whether it is gone."""
    try:
        lock = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where they are missing.

    Again, if somebody has just removed one of them because it was empty.
    """
    for _ in range(_MOST_TRIES):
        with suppress(FileNotFoundError):
            folder.mkdir(parents=True, exist_ok=True)
            return
    folder.mkdir(parents=True, exist_ok=True)


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


def used_bytes(folder: Path) -> int:
    """Bytes on the disk of every file below a folder."""
    found = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return sum(size_and_blocks(path)[1] for path in found)


@contextmanager
def full_disk_is_transient() -> Iterator[None]:
    """Turns a full disk into an error that delays the work instead of losing it."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Postponed("workspace_full", str(error)) from error
        raise


def workspace_outage(error: Exception) -> Exception:
    """What an error of the file system means that nobody has foreseen: an outage, or itself if it is none."""
    if isinstance(error, OSError) and error.errno in _OUT_OF_ORDER:
        return Outage("workspace_unreachable", str(error))
    return error

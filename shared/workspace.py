"""The work space: where a job's source and its finished parts lie between the services.

Layout below the root: ``<org>/<job>/source/``, ``<org>/<job>/parts/<part>/`` and ``<org>/<job>/tiles/``. A folder of a part, or
a tile, appears under its final name only when it is whole: it is made elsewhere and renamed, so whoever finds it can use it.
"""

import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from shared.errors import Outage, Postponed
from shared.inheritance import RECORD, Inheritance, source_lock
from shared.kept import KeptJobs
from shared.scratch import TRASH, discard, inside, size_and_blocks, size_on_disk
from shared.uploaded import UPLOADED, note_uploaded, read_uploaded

# What a disk says that is broken or was made read-only, and a network file system whose server is away.
_OUT_OF_ORDER = (errno.EIO, errno.EROFS, errno.ESTALE, errno.ENOTCONN, errno.ENODEV)


class WorkSpace:
    """The work space of ``file:///…``: a folder that all workers share.

    Args:
        url: ``file:///an/absolute/folder``; it is made if missing.

    Raises:
        ValueError: any other kind of address.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "file" or parts.netloc or not parts.path.startswith("/"):
            raise ValueError("the work space must be file:///an/absolute/folder")
        self.root = Path(parts.path)
        self.kept = KeptJobs(self.root)

    def job(self, org: str, job: str) -> Path:
        """Everything of one job."""
        return self.root / org / job

    def source(self, org: str, job: str) -> Path:
        """Folder of the source."""
        return self.job(org, job) / "source"

    def part(self, org: str, job: str, part: str) -> Path:
        """Folder of a finished part."""
        return self.job(org, job) / "parts" / part

    def inheritance(self, org: str, job: str) -> Inheritance:
        """What a retry has of the job that it runs again."""
        return Inheritance(self.root, self.job(org, job))

    def take_over(self, org: str, before: str, job: str) -> None:
        """Give a retry what there is of the job that it runs again, unless somebody else has it.

        Args:
            before: the job that has ended. Its janitor may be about to keep it, or may not have come to it yet.
        """
        kept, there = self.kept.folder(org, before), self.job(org, before)
        self.inheritance(org, job).take_over(kept, there, kept)

    def accept_offer(self, org: str, job: str, part: str) -> str | None:
        """Give a part that was inherited its final name. Returns the record that counts, None where there is none any more."""
        self.inheritance(org, job).accept(part, self.part(org, job, part))
        return self.finished(org, job, part)

    @contextmanager
    def fetching(self, org: str, job: str) -> Iterator[Path]:
        """The folder of a source, for as long as somebody writes to it. Nobody takes it over meanwhile.

        Raises:
            FileNotFoundError: it was taken away at this moment.
        """
        folder = self.source(org, job)
        folder.mkdir(parents=True, exist_ok=True)
        with source_lock(folder) as held:
            if not held:
                raise FileNotFoundError(errno.ENOENT, "taken over", str(folder))
            yield folder

    @contextmanager
    def attempt(self, org: str, job: str, part: str) -> Iterator[Path]:
        """A private folder to make a part in. What is left in it is removed at the end.

        What killed workers have left of the same part is removed first. A duplicate worker may still be at it, as when the
        bus was away for longer than a lease: its folder is locked for as long as it lives, and stays.
        """
        attempts = self.job(org, job) / "attempts"
        for abandoned in attempts.glob(f"{part}-*"):
            _remove_unless_locked(abandoned)
        token = secrets.token_hex(4)
        unnamed, folder = attempts / f".{token}", attempts / f"{part}-{token}"
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

    def finish(self, attempt: Path, org: str, job: str, part: str, record: str) -> str:
        """Give an attempt its final name, with a record (JSON text) of what is in it.

        Returns the record that counts: this one, or that of a duplicate worker that was faster.
        """
        final = self.part(org, job, part)
        (attempt / RECORD).write_text(record)
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            attempt.rename(final)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        return (final / RECORD).read_text()

    def finished(self, org: str, job: str, part: str) -> str | None:
        """The record of a finished part, None while there is none. It stays when the part's other files go."""
        try:
            text = (self.part(org, job, part) / RECORD).read_text()
            json.loads(text)
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return text

    def note_uploaded(self, org: str, job: str, part: str, path: str, tag: str = "") -> None:
        """Note down that a file of a finished part is in the bucket, for whoever goes on with the part after a failure.

        Args:
            tag: the object's entity tag, as the storage gave it.

        Raises:
            FileNotFoundError: the part has been removed.
        """
        note_uploaded(self.part(org, job, part), path, tag)

    def uploaded(self, org: str, job: str, part: str) -> frozenset[str]:
        """What is noted down as uploaded of a finished part."""
        return frozenset(read_uploaded(self.part(org, job, part)))

    def keep_tile(self, org: str, job: str, number: int, body: bytes) -> None:
        """Keep a tile for the end of the job, when its part is long gone.

        A duplicate worker may keep the same one at the same time.

        Raises:
            FileNotFoundError: the job has been removed.
        """
        folder = self._tiles(org, job)
        # Not the folder above it: a job that has been removed must not appear again.
        folder.mkdir(exist_ok=True)
        fresh = folder / f".{number}-{secrets.token_hex(4)}"
        with full_disk_is_transient():
            fresh.write_bytes(body)
        fresh.replace(folder / str(number))

    def tiles(self, org: str, job: str, numbers: Iterable[int]) -> dict[int, bytes]:
        """The kept ones of these tiles, by number."""
        files = {number: self._tiles(org, job) / str(number) for number in numbers}
        return {number: file.read_bytes() for number, file in files.items() if file.exists()}

    def _tiles(self, org: str, job: str) -> Path:
        return self.job(org, job) / "tiles"

    def empty_part(self, org: str, job: str, part: str) -> None:
        """Remove a part's files, but for its record, which the end of the job needs, and the note of what was uploaded."""
        with suppress(FileNotFoundError):
            for path in list(self.part(org, job, part).iterdir()):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.name not in (RECORD, UPLOADED):
                    path.unlink(missing_ok=True)

    def remove_job(self, org: str, job: str) -> None:
        """Remove everything of a job. What appears under its name afterwards takes another call.

        Raises:
            OSError: something could not be removed; try again.
        """
        folder = self.job(org, job)
        discard(self.root, folder)
        with suppress(OSError):
            # Unless there are other jobs of the organization, or nothing there at all.
            folder.parent.rmdir()

    def keep_job(self, org: str, job: str, since: float) -> None:
        """Put away what the retry of an ended job could use, for as long as nobody needs its room, and remove the rest.

        Args:
            since: when the job ended, in seconds since the epoch.

        Raises:
            OSError: something could not be removed; try again.
        """
        with suppress(OSError):
            # A full disk, perhaps: then there is no room to keep anything.
            self.kept.keep(self.job(org, job), org, job, since)
        self.remove_job(org, job)

    def jobs(self) -> list[tuple[str, str]]:
        """Organization and job of every job that has anything here."""
        found = (path.relative_to(self.root).parts for path in self.root.glob("[!.]*/[!.]*"))
        return sorted((org, job) for org, job in found)

    def remove_leftovers(self) -> None:
        """Remove what removals that were cut off have left."""
        for trash in self.root.glob(f"{TRASH}*"):
            shutil.rmtree(trash, ignore_errors=True)

    def free_bytes(self) -> int:
        """Bytes that can still be written, without those that downloads under way will need.

        A download reserves its room by giving its file the whole length at once. What of that is not on the disk yet is seen
        here by every process that shares the work space, and is given back when the file goes. What is kept of ended jobs
        counts as free, since it goes when :meth:`make_room` says that its room is needed.
        """
        return self._bare_bytes() + self.kept.bytes()

    def make_room(self, needed: int) -> bool:
        """Give up what is kept of ended jobs, the oldest first, until so many bytes are free; whether they are."""
        return self.kept.make_room(needed, self._bare_bytes)

    def _bare_bytes(self) -> int:
        """As :meth:`free_bytes`, with all that is kept still there."""
        self.root.mkdir(parents=True, exist_ok=True)
        sources = [file for org in inside(self.root) for job in inside(org) for file in inside(job / "source")]
        reserved = sum(size - here for size, here in map(size_and_blocks, sources))
        return shutil.disk_usage(self.root).free - reserved

    def capacity_bytes(self) -> int:
        """Bytes that could be written if no job had anything here. Looks at every file: call it in a thread."""
        found = (Path(folder) / name for folder, _, names in os.walk(self.root) for name in names)
        return shutil.disk_usage(self.root).free + sum(map(size_on_disk, found))

    async def check(self) -> None:
        """Raises: OSError: the work space cannot be written."""
        self.root.mkdir(parents=True, exist_ok=True)
        probe = self.root / f".ready-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()


def _remove_unless_locked(folder: Path) -> None:
    """Remove an attempt's folder whose worker is dead: the kernel gives its lock back with the process."""
    try:
        lock = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(lock)


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

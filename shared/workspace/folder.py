"""A work space of folders and files.

Layout below the root: ``<org>/<job>/source/``, ``<org>/<job>/parts/<part>/`` and ``<org>/<job>/tiles/``. A folder of a part, or
a tile, appears under its final name only when it is whole: it is made elsewhere and renamed, so whoever finds it can use it.
"""

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from shared.workspace.disk import (
    TRASH,
    discard,
    full_disk_is_transient,
    inside,
    make_folder,
    private_folder,
    size_and_blocks,
    used_bytes,
)
from shared.workspace.inheritance import RECORD, Inheritance, source_lock
from shared.workspace.kept import KeptJobs
from shared.workspace.uploaded import UPLOADED, note_uploaded, read_uploaded


class WorkFolder:
    """The folder of ``file:///…`` that all workers share.

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
        """See :meth:`shared.workspace.retries.RetrySpace.take_over`."""
        kept, there = self.kept.folder(org, before), self.job(org, before)
        self.inheritance(org, job).take_over(before, kept, there, kept, *self.kept.of_retries(org, before))

    @contextmanager
    def fetching(self, org: str, job: str) -> Iterator[Path]:
        """The folder of a source, for as long as somebody writes to it. Nobody takes it over meanwhile.

        Raises:
            FileNotFoundError: it was taken away at this moment.
        """
        folder = self.source(org, job)
        make_folder(folder)
        with source_lock(folder) as held:
            if not held:
                raise FileNotFoundError(errno.ENOENT, "taken over", str(folder))
            yield folder

    def attempt(self, org: str, job: str, part: str) -> AbstractContextManager[Path]:
        """A private folder to make a part in: see :func:`shared.workspace.disk.private_folder`."""
        return private_folder(self.job(org, job) / "attempts", part)

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
        return shutil.disk_usage(self.root).free + used_bytes(self.root)

    def check(self) -> None:
        """Raises: OSError: the work space cannot be written."""
        self.root.mkdir(parents=True, exist_ok=True)
        probe = self.root / f".ready-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()

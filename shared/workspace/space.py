"""What the work space does for the services."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.locations import S3Location
from shared.workspace.retries import RetrySpace

Span = tuple[int, int]
"""Bytes of a file: the first one, and the one after the last."""


@dataclass(frozen=True)
class SourceRead:
    """What somebody is going to read of a source.

    Attributes:
        file: name of the source's file. size: its bytes.
        own: the spans that nobody else reads; None where nobody can tell, or for all of it.
        common: further spans, which others read as well. No two overlap.
    """

    file: str
    size: int
    own: tuple[Span, ...] | None = None
    common: tuple[Span, ...] = ()

    @property
    def all_of_it(self) -> "SourceRead":
        """The same source, to be read from end to end."""
        return SourceRead(self.file, self.size)


@dataclass(frozen=True)
class SourceInput:
    """How ffmpeg opens a source.

    Attributes:
        address: what stands after ``-i``. protocols: what stands after ``-protocol_whitelist``.
        whole: all of the source is there. Otherwise ffmpeg meets an error where it reads what is not.
        reads: the files, and folders of files, that it is made of.
    """

    address: str
    protocols: str = "file"
    whole: bool = True
    reads: tuple[Path, ...] = ()

    @staticmethod
    def of(file: Path) -> "SourceInput":
        """A whole file."""
        return SourceInput(str(file), reads=(file,))


@dataclass(frozen=True)
class MadePart:
    """One result of a part: a duplicate worker may have made another one. ``digest`` is that of its record."""

    org: str
    job: str
    part: str
    digest: str


class WorkSpace(RetrySpace, Protocol):
    """The verbs. All of them may raise ``Outage`` (``workspace_unreachable``) or ``Postponed`` (``workspace_full``)."""

    def arrival(self, org: str, job: str) -> AbstractAsyncContextManager[Path]:
        """A folder on this host that a source is downloaded to, with what an earlier attempt has left there.

        It stays where the work in it fails, to be gone on with.
        """
        ...

    async def keep_source(self, org: str, job: str, file: Path) -> None:
        """Have a file of the arrival, whole and never to be changed again, be the source for every worker."""
        ...

    async def discard_source(self, org: str, job: str, file: str) -> None:
        """Remove a file of the source that nobody will read."""
        ...

    def source(self, org: str, job: str, read: SourceRead) -> AbstractAsyncContextManager[SourceInput]:
        """The source, for programs of this host. Perhaps only the spans that were asked for are there.

        Raises:
            FileNotFoundError: there is none; the job has been removed.
        """
        ...

    def attempt(self, org: str, job: str, part: str) -> AbstractAsyncContextManager[Path]:
        """A private folder on this host to make a part in. What is left in it is removed at the end."""
        ...

    async def finish(self, attempt: Path, org: str, job: str, part: str, record: str) -> str:
        """Make an attempt a finished part, with a record (JSON text) of what is in it.

        Returns the record that counts: this one, or that of a duplicate worker that was faster.
        """
        ...

    async def finished(self, org: str, job: str, part: str) -> str | None:
        """The record of a finished part, None while there is none."""
        ...

    async def record(self, made: MadePart) -> str | None:
        """The record of this result, None where it is gone. It stays when the part's other files go."""
        ...

    async def read(self, made: MadePart, path: str) -> bytes:
        """A file of a finished part.

        Raises:
            FileNotFoundError: there is none (any more).
        """
        ...

    def address(self, made: MadePart, path: str) -> S3Location | None:
        """Where in S3 a file of a finished part lies, without credentials; None where it does not lie in S3."""
        ...

    async def note_uploaded(self, made: MadePart, path: str, tag: str = "") -> None:
        """Note down that a file is in the bucket, for whoever goes on with the part after a failure.

        Args:
            tag: the object's entity tag, as the storage gave it.

        Raises:
            FileNotFoundError: the part has been removed.
        """
        ...

    async def uploaded(self, made: MadePart) -> frozenset[str]:
        """What is noted down as uploaded."""
        ...

    async def keep_tiles(self, org: str, job: str, tiles: Mapping[int, bytes]) -> None:
        """Keep tiles, by number, for the end of the job, when their parts are long gone. A second time changes nothing.

        Raises:
            FileNotFoundError: the job has been removed.
        """
        ...

    async def tiles(self, org: str, job: str, numbers: Iterable[int]) -> dict[int, bytes]:
        """The kept ones of these tiles, by number."""
        ...

    async def empty_part(self, org: str, job: str, part: str) -> None:
        """Remove a part's files, but for its record, which the end of the job needs."""
        ...

    async def remove_job(self, org: str, job: str) -> None:
        """Remove everything of a job. What late workers write afterwards takes another call.

        Raises:
            OSError: something could not be removed; try again.
        """
        ...

    async def jobs(self) -> list[tuple[str, str]]:
        """Organization and job of every job that has anything here."""
        ...

    async def remove_leftovers(self) -> None:
        """Remove what removals and uploads that were cut off have left."""
        ...

    async def sweep_scratch(self, ended: Callable[[str, str], Awaitable[bool]]) -> None:
        """Remove what this host alone has of jobs that have ended and of workers that are dead, but for what is in use.

        Args:
            ended: whether a job (organization, job) has.
        """
        ...

    def free_bytes(self) -> int:
        """Bytes that can still be downloaded, without those that downloads under way will need. To be called in a thread.

        What is kept of ended jobs counts as free: :meth:`make_room` gets it.
        """
        ...

    def capacity_bytes(self) -> int:
        """Bytes that could be downloaded if no job had anything here. To be called in a thread."""
        ...

    async def check(self) -> None:
        """Raises: OSError, MillraceError: the work space cannot be used."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...

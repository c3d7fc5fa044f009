"""What the work space does for retries: it keeps what ended jobs leave, hands it over, and gives its room to whoever needs it.

A retry inherits all that is left of the job that it runs again. The fetcher looks what of it is still valid, and offers the
transcoder parts, which accepts or refuses each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, order=True)
class Kept:
    """What is kept of a job. ``since``: when the job ended, in seconds since the epoch. ``bytes``: of room that it takes."""

    since: float
    org: str
    job: str
    bytes: int


@dataclass(frozen=True)
class InheritedPart:
    """A finished part of an earlier job, as far as it is still there.

    Attributes:
        place: where it lies, for the work space alone.
        record: JSON text.
        files: bytes of each file that is there, by its path.
        tiles: bytes of each tile of that job that was kept for its end, by number.
        uploaded: entity tag of each file that is noted down as uploaded, by its path; empty where the storage gave none.
    """

    name: str
    place: str
    record: str
    files: Mapping[str, int]
    tiles: Mapping[int, int]
    uploaded: Mapping[str, str]


class RetrySpace(Protocol):
    """The verbs."""

    async def keep_job(self, org: str, job: str, since: float) -> None:
        """Put away what the retry of an ended job could use, for as long as nobody needs its room, and remove the rest.

        Args:
            since: when the job ended, in seconds since the epoch.

        Raises:
            OSError: something could not be removed; try again.
        """
        ...

    async def kept(self) -> list[Kept]:
        """All that is kept, the oldest first."""
        ...

    async def drop_kept(self, org: str, job: str) -> None:
        """Remove what is kept of a job. Raises: OSError: something could not be removed; try again."""
        ...

    def make_room(self, needed: int) -> bool:
        """Remove the oldest of what is kept until so many bytes are free. Returns whether they are. To be called in a thread."""
        ...

    async def take_over(self, org: str, before: str, job: str) -> None:
        """Give a retry what there is of the job that it runs again, unless somebody else has it. A second time changes nothing.

        Its source becomes the retry's, with a state of download that is to be believed only when the server has said that the
        content is still the same.

        Args:
            before: the job that has ended. Its janitor may be about to keep it, or may not have come to it yet; or an earlier
                retry has ended too, of which what it had is kept.
        """
        ...

    async def inherited(self, org: str, job: str) -> list[InheritedPart] | None:
        """The parts that a retry has inherited and nobody has looked at; None where nothing was inherited, or that is done.

        Those of the latest job come first; a part may be there of two.
        """
        ...

    async def offer(
        self, org: str, job: str, part: InheritedPart, *, uploaded: Mapping[str, str], tiles: Mapping[int, str]
    ) -> None:
        """Let the transcoder have a part, unless there is another one already.

        Args:
            uploaded: entity tag of each file, by its path, that is in the bucket.
            tiles: path that each tile has in the part, by number, of those that were kept elsewhere.
        """
        ...

    async def close_inheritance(self, org: str, job: str) -> None:
        """Remove what was inherited and not offered."""
        ...

    async def offered(self, org: str, job: str, part: str) -> str | None:
        """The record (JSON text) of an offered part, None where there is none."""
        ...

    async def accept(self, org: str, job: str, part: str) -> str | None:
        """Make an offered part a finished one. Returns the record that counts, None where there is none any more."""
        ...

    async def refuse(self, org: str, job: str, part: str) -> None:
        """Remove an offered part."""
        ...

"""What jobs that have failed or were cancelled leave for their retries, until somebody needs its room or its time is over.

It lies in ``.kept-<org>-<job>/``, which is the job's folder as it was at its end, without attempts, with a note of its size.
Whoever takes it over renames it, and so does whoever removes it: it is had by one of them, and whole.
"""

import json
from collections.abc import Callable
from pathlib import Path

from shared.workspace.disk import discard, used_bytes
from shared.workspace.inheritance import has_state, is_of_use, lineage
from shared.workspace.retries import Kept

_KEPT, _NOTE = ".kept-", "kept.json"


class KeptJobs:
    """All that is kept in a work space.

    Args:
        root: of the work space.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, org: str, job: str) -> Path:
        """Where that of a job lies, if there is any."""
        return self._root / f"{_KEPT}{org}-{job}"

    def keep(self, job_folder: Path, org: str, job: str, since: float) -> bool:
        """Keep what a retry could use of an ended job; False where there is nothing, or something is kept already.

        Raises:
            OSError: it could not be kept.
        """
        if not is_of_use(job_folder):
            return False
        discard(self._root, job_folder / "attempts")
        if not has_state(job_folder / "source"):
            discard(self._root, job_folder / "source")
        note = {"since": since, "bytes": used_bytes(job_folder)}
        (job_folder / _NOTE).write_text(json.dumps(note))
        job_folder.rename(self.folder(org, job))
        return True

    def all(self) -> list[Kept]:
        """All of it, the oldest first."""
        return sorted(_noted(folder) for folder in self._root.glob(f"{_KEPT}*"))

    def of_retries(self, org: str, before: str) -> list[Path]:
        """Where that of the retries of a job lies, and of their retries; of the last one first."""
        folders = [self.folder(org, kept.job) for kept in reversed(self.all()) if kept.org == org]
        return [folder for folder in folders if before in lineage(folder)]

    def bytes(self) -> int:
        """How much room all of it takes, which anybody may have who needs it."""
        return sum(kept.bytes for kept in self.all())

    def drop(self, org: str, job: str) -> None:
        """Remove what is kept of a job, if anything is.

        Raises:
            OSError: something could not be removed; try again.
        """
        discard(self._root, self.folder(org, job))

    def make_room(self, needed: int, free_bytes: Callable[[], int]) -> bool:
        """Remove the oldest until so many bytes are free; whether they are."""
        for kept in self.all():
            if free_bytes() >= needed:
                return True
            self.drop(kept.org, kept.job)
        return free_bytes() >= needed


def _noted(folder: Path) -> Kept:
    """What the note says; what has none is older than all, and the first to go."""
    org, _, job = folder.name.removeprefix(_KEPT).partition("-")
    try:
        note = json.loads((folder / _NOTE).read_text())
        return Kept(float(note["since"]), org, job, int(note["bytes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Kept(0.0, org, job, 0)

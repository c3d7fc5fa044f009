"""What a retry has of the job that it runs again, below its own folder.

``inherited/`` is the folder of that job, as it was: taken over by one rename, so by one retry. (It has an ``inherited/`` of its
own, if that job was a retry that did not get as far as the parts.) From there the source goes to the retry's own ``source/``,
and parts that are offered to ``offered/<part>/``. Each step is one rename, and is done again without harm.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from shared.workspace.disk import discard, inside, make_folder, size_and_blocks
from shared.workspace.retries import InheritedPart
from shared.workspace.uploaded import read_uploaded, write_uploaded

DOWNLOAD_STATE = "download.json"
"""In the folder of a source: how far its download has got, and of which content."""

INHERITED_STATE = "inherited.json"
"""The same of a download by another job, not to be believed before the server has said that the content is still that one."""

RECORD = "record.json"
_INHERITED, _OFFERED, _LINEAGE, _LOCK = "inherited", "offered", "lineage", ".lock"


class Inheritance:
    """What one job has inherited.

    Args:
        root: of the work space. folder: of the job.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._folder = folder
        self._inherited = folder / _INHERITED

    def take_over(self, before: str, *places: Path) -> None:
        """Take the folder of an earlier job from the first of these places that it is found at, and use its source.

        The source is left behind where a late worker of that job is still writing it.

        Args:
            before: the job that is run again.

        Raises:
            OSError: try again.
        """
        make_folder(self._folder)
        if not self._inherited.exists():
            for place in places:
                with suppress(FileNotFoundError):
                    place.rename(self._inherited)
                    break
        line = {self._folder.name, before, *lineage(self._folder), *lineage(self._inherited)}
        (self._folder / _LINEAGE).write_text("\n".join(sorted(line)))
        source = self._inherited / "source"
        if source.exists():
            self._take_source(source)

    def _take_source(self, source: Path) -> None:
        with source_lock(source, exclusive=True) as mine:
            if mine and has_state(source) and not (self._folder / "source").exists():
                with suppress(FileNotFoundError):
                    (source / DOWNLOAD_STATE).rename(source / INHERITED_STATE)
                source.rename(self._folder / "source")
                return
        discard(self._root, source)

    def parts(self) -> list[InheritedPart] | None:
        """See :meth:`shared.workspace.retries.RetrySpace.inherited`."""
        if not self._inherited.exists():
            return None
        tiles = {number: size_and_blocks(file)[0] for number, file in self._tiles().items()}
        places = (folder / place for folder in self._generations() for place in ("parts", _OFFERED))
        return [part for place in places for folder in inside(place) if (part := _part(folder, tiles))]

    def _tiles(self) -> dict[int, Path]:
        """The tiles that were kept for the end of the job; of the latest job, where there are several."""
        files = [file for folder in self._generations() for file in inside(folder / "tiles") if file.name.isdecimal()]
        return {int(file.name): file for file in reversed(files)}

    def _generations(self) -> Iterator[Path]:
        folder = self._inherited
        while folder.exists():
            yield folder
            folder = folder / _INHERITED

    def offer(self, part: InheritedPart, uploaded: Mapping[str, str], tiles: Mapping[int, str]) -> None:
        """See :meth:`shared.workspace.retries.RetrySpace.offer`."""
        folder, kept = Path(part.place), self._tiles() if tiles else {}
        offered = self._folder / _OFFERED / part.name
        # Whoever looks through the same parts at the same time may be faster at any of these steps.
        with suppress(OSError):
            write_uploaded(folder, uploaded)
            for number, path in tiles.items():
                file = folder / path
                file.parent.mkdir(exist_ok=True)
                kept[number].rename(file)
            offered.parent.mkdir(exist_ok=True)
            folder.rename(offered)

    def record(self, part: str) -> str | None:
        """The record (JSON text) of an offered part, None where there is none."""
        try:
            return (self._folder / _OFFERED / part / RECORD).read_text()
        except FileNotFoundError:
            return None

    def accept(self, part: str, final: Path) -> None:
        """Give an offered part its final name. Where a duplicate worker was faster, that one stays."""
        final.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            (self._folder / _OFFERED / part).rename(final)

    def refuse(self, part: str) -> None:
        """Remove an offered part."""
        discard(self._root, self._folder / _OFFERED / part)

    def close(self) -> None:
        """Remove what is inherited and was not offered."""
        discard(self._root, self._inherited)


def lineage(folder: Path) -> list[str]:
    """The retry that this folder is of, and the jobs that it runs again, whatever was left of them."""
    with suppress(FileNotFoundError):
        return (folder / _LINEAGE).read_text().split()
    return []


def is_of_use(folder: Path) -> bool:
    """Whether a job's folder holds anything that its retry could use."""
    parts = (part for place in ("parts", _OFFERED) for part in inside(folder / place))
    return has_state(folder / "source") or (folder / _INHERITED).exists() or any(parts)


def has_state(source: Path) -> bool:
    """Whether it can be told of which content the folder of a source is, and how much of it is there."""
    return any((source / state).exists() for state in (DOWNLOAD_STATE, INHERITED_STATE))


@contextmanager
def source_lock(source: Path, *, exclusive: bool = False) -> Iterator[bool]:
    """Hold the folder of a source, if it can be had: shared by those who write it, or alone by who takes it over.

    The kernel gives the lock back with the process.

    Yields:
        Whether it is held, and the folder is still where it was.
    """
    lock = os.open(source / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            held = os.fstat(lock).st_ino == (source / _LOCK).stat().st_ino
        except (BlockingIOError, FileNotFoundError):
            held = False
        yield held
    finally:
        os.close(lock)


def _part(folder: Path, tiles: Mapping[int, int]) -> InheritedPart | None:
    """What lies in the folder of a part, None where there is no record, or somebody has just taken the folder."""
    try:
        record = (folder / RECORD).read_text()
        return InheritedPart(folder.name, str(folder), record, _sizes(folder), tiles, read_uploaded(folder))
    except FileNotFoundError:
        return None


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file in the folder of a part, by its path."""
    found = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return {str(file.relative_to(folder)): file.stat().st_size for file in found}

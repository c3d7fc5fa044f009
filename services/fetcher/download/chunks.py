"""Which pieces of a file are here already, kept beside the file so that a download goes on after its process was killed."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from services.fetcher.download.remote import Version


class ChunkMap:
    """The pieces of a file of known size that have been written.

    Args:
        chunk_bytes: size of each piece; the last one may be shorter.
    """

    def __init__(self, version: Version, chunk_bytes: int) -> None:
        self.version = version
        self.chunk_bytes = chunk_bytes
        self._here = bytearray(-(-version.size // chunk_bytes))

    def __len__(self) -> int:
        return len(self._here)

    @property
    def whole(self) -> bool:
        """Nothing is missing."""
        return all(self._here)

    @property
    def bytes_here(self) -> int:
        """How much is there, in bytes."""
        return sum(end - start for number, here in enumerate(self._here) if here for start, end in [self.span(number)])

    def missing(self) -> Iterator[int]:
        """Numbers of the pieces that are not there, ascending."""
        return (number for number, here in enumerate(self._here) if not here)

    def span(self, number: int) -> tuple[int, int]:
        """First byte of a piece, and the one after its last."""
        start = number * self.chunk_bytes
        return start, min(start + self.chunk_bytes, self.version.size)

    def mark(self, number: int) -> None:
        """Note that a piece has been written."""
        self._here[number] = 1

    def copy(self) -> "ChunkMap":
        """The map as it is now."""
        found = ChunkMap(self.version, self.chunk_bytes)
        found._here = bytearray(self._here)
        return found

    def mark_all(self) -> None:
        """Note that the file is whole."""
        self._here = bytearray(b"\1" * len(self._here))

    def save(self, path: Path) -> None:
        """Write the map, atomically. The file's own data must be on the disk before, or a power cut makes the map lie."""
        state = {"version": asdict(self.version), "chunk_bytes": self.chunk_bytes, "here": self._here.hex()}
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(state))
        os.replace(draft, path)  # noqa: PTH105 - the name says what matters: it is atomic

    @classmethod
    def load(cls, path: Path) -> "ChunkMap | None":
        """The map that was written there, None if there is none that can be used."""
        try:
            state = json.loads(path.read_text())
            found = cls(Version(**state["version"]), int(state["chunk_bytes"]))
            here = bytearray.fromhex(state["here"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if len(here) != len(found):
            return None
        found._here = here
        return found

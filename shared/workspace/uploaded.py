"""The note in the folder of a finished part of what is in the bucket: a line for each object, its path and its entity tag."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

UPLOADED = "uploaded"


def note_uploaded(part: Path, path: str, tag: str) -> None:
    """Note down an object. Raises: FileNotFoundError: the part has been removed."""
    descriptor = os.open(part / UPLOADED, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        # In one write, since a duplicate worker may note something at the same time.
        os.write(descriptor, _line(path, tag))
    finally:
        os.close(descriptor)


def read_uploaded(part: Path) -> dict[str, str]:
    """Entity tag of each object that is noted down, by its path; empty where the storage gave none."""
    text = ""
    with suppress(FileNotFoundError):
        text = (part / UPLOADED).read_text()
    # Of a line that was cut off nothing is believed. Notes of earlier versions have no tags.
    lines = text.splitlines() if text.endswith("\n") else text.splitlines()[:-1]
    return {path: tag for path, _, tag in (line.partition("\t") for line in lines)}


def write_uploaded(part: Path, tags: Mapping[str, str]) -> None:
    """Replace the note."""
    draft = part / f".{UPLOADED}"
    draft.write_bytes(b"".join(_line(path, tag) for path, tag in tags.items()))
    draft.replace(part / UPLOADED)


def _line(path: str, tag: str) -> bytes:
    return f"{path}\t{tag}\n".encode()

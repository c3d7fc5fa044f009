"""What lies in a folder that others write to and remove from meanwhile, which ``Path.rglob`` does not survive."""

import os
from collections.abc import Iterator
from pathlib import Path


def below(folder: Path) -> Iterator[Path]:
    """Every folder and file below a folder, as far as they were there when it was looked."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(parent) / name

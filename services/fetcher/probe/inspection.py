"""Asking ffprobe and ffmpeg about a file, under limits: what a probe of pictures and one of sound alone have in common."""

import asyncio
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.fetcher.probe import packets as pk
from services.fetcher.probe.boxes import BoxLayout, box_layout
from services.fetcher.probe.integrity import EXPORT_AGAIN, NOTHING_INSIDE, cannot_open
from services.fetcher.probe.protection import protected_kinds
from services.fetcher.probe.sniff import HEAD_BYTES, sniff, tag_bytes
from shared.cage.cage import Touches
from shared.errors import PermanentError, Postponed, TransientError
from shared.process import Finished, ProcessLimits, ProcessTimeout, run_process

LOOK_SECONDS = 60.0
"""Wall time for a look at a file's beginning."""

DRM = "DRM protected stream"
"""What ffprobe complains of where a file is encrypted that does not mark its streams."""

_LIST_FOLDER = "packets-"
_LIST_BYTES, _LIST_RESERVE = 2 * 1024**3, 16 * 1024**2


@dataclass(frozen=True)
class ProbeLimits:
    """What a source may be, and what finding out may cost.

    Attributes:
        seconds: wall time for listing all packets. memory_bytes: address space of each process.
        max_duration: seconds. max_pixels: width times height.
    """

    seconds: float
    memory_bytes: int
    max_duration: float
    max_pixels: int


@dataclass(frozen=True)
class Opened:
    """A file with the demuxer that reads it.

    Attributes:
        size: bytes.
        head: its first bytes; where sound was asked for, those after an ID3 tag.
        boxes: of ISO base media.
    """

    file: Path
    size: int
    demuxer: str
    head: bytes
    boxes: BoxLayout | None = None

    @property
    def arguments(self) -> list[str]:
        """How ffprobe and ffmpeg are told to read it."""
        return input_arguments(self.file, self.demuxer)

    def clean(self, text: str) -> str:
        """What a program wrote, fit for the job's detail: without paths of ours and without control characters."""
        lines = [re.sub(r"\[(\w[\w,:#/]*) @ 0x[0-9a-f]+\]", r"[\1]", line) for line in text.splitlines()[-8:]]
        plain = "; ".join(lines).replace(f"file:{self.file}", "input").replace(str(self.file), "input")
        return "".join(character if character.isprintable() else " " for character in plain)


class Packets:
    """The packets of a file, which are being listed."""

    def __init__(self, task: "asyncio.Task[str]", listing: Path) -> None:
        self._task = task
        self._listing = listing

    async def of(self, stream: int) -> tuple[pk.PacketTable, str]:
        """All of them, once they are listed, and what ffprobe complained of.

        Args:
            stream: the video, or ``NO_STREAM``.

        Raises:
            PermanentError: ``input_damaged``. ProcessTimeout: it took too long. Postponed: ``workspace_full``.
        """
        complaints = await self._task
        return await asyncio.to_thread(_read_listing, self._listing, stream), complaints


class Inspection:
    """What probes are made of.

    Args:
        ffprobe, ffmpeg: paths of the programs.
    """

    def __init__(self, ffprobe: str, ffmpeg: str, limits: ProbeLimits) -> None:
        self._ffprobe = ffprobe
        self._ffmpeg = ffmpeg
        self._limits = limits

    async def _open(self, file: Path, *, sound: bool = False) -> Opened:
        """Decide by the first bytes how the file is read, and refuse what declares that it is encrypted."""
        size, head = await asyncio.to_thread(_size_and_head, file, skip_tag=sound)
        demuxer = sniff(head, sound=sound)
        boxes = await asyncio.to_thread(box_layout, file) if demuxer == "mov" else None
        protected = await asyncio.to_thread(protected_kinds, file, demuxer)
        if "audio" in protected or (protected and not sound):
            raise PermanentError("input_encrypted", f"it declares encrypted {', '.join(sorted(protected))}")
        return Opened(file, size, demuxer, head, boxes)

    def _check_length(self, duration: float) -> None:
        """Refuse what is longer than allowed (seconds)."""
        if duration > self._limits.max_duration:
            raise PermanentError("input_too_long", f"{duration:.0f} s, at most {self._limits.max_duration:.0f} s")

    async def _header(self, opened: Opened) -> dict[str, Any]:
        what = ["-show_programs", "-show_streams", "-show_format", "-of", "json"]
        argv = [self._ffprobe, "-v", "error", *opened.arguments, *what]
        try:
            done = await self._run(opened, argv, LOOK_SECONDS)
        except ProcessTimeout as error:
            raise PermanentError("input_damaged", f"its header could not be read: {error}") from error
        try:
            header: dict[str, Any] = json.loads(done.output)
        except json.JSONDecodeError:
            header = {}
        if done.status != 0 or not header.get("streams"):
            if done.status == 0 or (opened.demuxer == "flv" and "End of file" in done.error_tail):
                raise PermanentError("input_not_video", "no streams", cause=NOTHING_INSIDE, remedy=EXPORT_AGAIN)
            raise cannot_open(opened.demuxer, opened.clean(done.error_tail) or "no streams", opened.boxes)
        return header

    @asynccontextmanager
    async def _packets(self, opened: Opened) -> "AsyncIterator[Packets]":
        """All packets of the file in one pass, which goes on beside what is done in the block; at its end it is over.

        The list goes through a file: that of a long film is large.
        """
        with tempfile.TemporaryDirectory(dir=opened.file.parent, prefix=_LIST_FOLDER) as folder:
            listing = Path(folder) / "packets.csv"
            task = asyncio.create_task(self._list(opened, listing))
            try:
                yield Packets(task, listing)
            finally:
                task.cancel()
                # Its error is looked at here, or asyncio complains that nobody did.
                await asyncio.gather(task, return_exceptions=True)

    async def _list(self, opened: Opened, listing: Path) -> str:
        """Write the list; what ffprobe complained of."""
        folder = listing.parent
        output = ["-show_entries", pk.ENTRIES, "-of", "csv=p=0", "-o", str(listing)]
        argv = [self._ffprobe, "-v", "error", *opened.arguments, *output]
        done = await self._run(opened, argv, self._limits.seconds, listing=folder)
        if done.status < 0:
            raise PermanentError("input_damaged", f"listing its packets ended with signal {-done.status}")
        if shutil.disk_usage(folder).free < _LIST_RESERVE:
            # The list may have been cut short, which would look like a source that is.
            raise Postponed("workspace_full", "no room to list the packets of the source")
        return done.error_tail

    async def _run(
        self, opened: Opened, argv: Sequence[str], seconds: float, *, listing: Path | None = None
    ) -> Finished:
        """Have a program look at the file, and at nothing else. ``listing`` is a folder to write a list of packets to."""
        limits = looking(seconds, self._limits.memory_bytes, file_bytes=_LIST_BYTES if listing else 0)
        return await run_to_its_end(argv, limits=limits, touches=Touches((opened.file,), (listing,) if listing else ()))


def looking(seconds: float, memory_bytes: int, *, file_bytes: int | None) -> ProcessLimits:
    """Limits of a program that looks at a source or copies it: the more processors, the faster it may use its time up."""
    cores = os.cpu_count() or 1
    return ProcessLimits(seconds=seconds, cpu_seconds=seconds * cores, memory_bytes=memory_bytes, file_bytes=file_bytes)


async def run_to_its_end(argv: Sequence[str], *, limits: ProcessLimits, touches: Touches) -> Finished:
    """Run a program that looks at a source or copies it.

    Raises:
        TransientError: ``worker_lost``: somebody else has ended it, which says nothing about the source.
        ProcessTimeout, ProcessStalled: a limit was passed.
    """
    done = await run_process(argv, limits=limits, touches=touches)
    if done.killed:
        raise TransientError("worker_lost", f"{Path(argv[0]).name} was ended by a signal (status {done.status})")
    return done


def input_arguments(file: Path, demuxer: str) -> list[str]:
    """How ffprobe and ffmpeg are told to read a file with this demuxer, and nothing else."""
    # Sample data in other files (“data references”) is never followed, even by a build that allows it by default.
    more = ["-use_absolute_path", "0", "-enable_drefs", "0"] if demuxer == "mov" else []
    return ["-protocol_whitelist", "file", *more, "-f", demuxer, "-i", f"file:{file}"]


def remove_leftovers(folder: Path) -> None:
    """Remove what a probe that was killed has left beside its file."""
    for left in folder.glob(f"{_LIST_FOLDER}*"):
        shutil.rmtree(left, ignore_errors=True)


def _size_and_head(file: Path, *, skip_tag: bool) -> tuple[int, bytes]:
    size = file.stat().st_size
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
        tag = tag_bytes(head) if skip_tag else 0
        if not tag:
            return size, head
        opened.seek(tag)
        # Nothing after the tag: then the tag itself is all that can be told of.
        return size, opened.read(HEAD_BYTES) or head


def _read_listing(listing: Path, stream: int) -> pk.PacketTable:
    if not listing.exists():
        return pk.read_packets((), stream)
    with listing.open(encoding="ascii", errors="replace") as lines:
        return pk.read_packets(lines, stream)

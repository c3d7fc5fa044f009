"""A source on its way into the work space: several ranges at a time where the server allows, resumed where it broke off."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from services.fetcher.download.chunks import ChunkMap
from services.fetcher.download.landing import landing_file
from services.fetcher.download.patience import Patience, PatienceLimits
from services.fetcher.download.ranges import RangeFetch
from services.fetcher.download.remote import Remote, Reply, SourceChanged, Trouble, Version
from services.fetcher.download.room import Room
from shared.errors import PermanentError
from shared.locations import is_masked
from shared.workspace.disk import full_disk_is_transient
from shared.workspace.inheritance import DOWNLOAD_STATE, INHERITED_STATE

SOURCE_FILE = "source.bin"
STATE_FILE = DOWNLOAD_STATE
SPENT_FILE = "download.seconds"
"""How long attempts have taken that did not finish: what is handed back again and again must not take for ever."""

MOST_CHANGES = 3
"""Beginnings of a download whose source turns out to be another than before."""

MOST_BREAKS = 3
"""Beginnings of a download from a server that cannot send the rest of a file alone."""


@dataclass(frozen=True)
class DownloadLimits:
    """What a download may take.

    Attributes:
        max_bytes: of the source. keep_free: bytes of the work space that a download leaves free.
        chunk_bytes, connections: size of a range, and how many are asked for at the same time.
        checkpoint_seconds: how often what is there is noted down for a restart.
    """

    max_bytes: int
    keep_free: int
    chunk_bytes: int
    connections: int
    patience: PatienceLimits
    checkpoint_seconds: float = 2.0


class Download:
    """Brings one source into a folder.

    Args:
        folder: where the file and the note of what is there already lie; it must exist.
        free_bytes: tells how much can still be written, without what this and other downloads have reserved.
        capacity_bytes: tells how much that would be with nothing else in the work space; None where a larger source may fit
            one day, whatever its size is.
        make_room: gets so many bytes free of what ``free_bytes`` counts as free and has to be removed first, as far as it can.
        on_head: gets the first bytes (``HEAD_BYTES`` of sniff.py, or all there are) as soon as they have come; may raise.
        on_progress: gets the fraction that is there.
        only_tagged: of what another job has downloaded only that is believed which has an entity tag, and the same one: parts of
            the address are masked, so it may have been that of another file.
    """

    def __init__(
        self,
        remote: Remote,
        folder: Path,
        limits: DownloadLimits,
        *,
        free_bytes: Callable[[], int],
        capacity_bytes: Callable[[], int] | None = None,
        make_room: Callable[[int], bool] = lambda _: True,
        on_head: Callable[[bytes], None],
        on_progress: Callable[[float], Awaitable[None]],
        only_tagged: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._remote = remote
        self._folder = folder
        self._limits = limits
        self._room = Room(self.path, limits.keep_free, free_bytes, capacity_bytes, make_room)
        self._on_head = on_head
        self._on_progress = on_progress
        self._only_tagged = only_tagged
        self._patience = Patience(limits.patience, clock, spent=self._spent(), known=self.path.exists())

    @property
    def path(self) -> Path:
        """The file."""
        return self._folder / SOURCE_FILE

    async def run(self) -> Path:
        """Download what is missing; returns when the whole file is on the disk.

        Raises:
            PermanentError: an ``input_…`` code. Outage: the source is out of order at present. Postponed: ``workspace_full``.
        """
        try:
            for _ in range(MOST_CHANGES):
                try:
                    with full_disk_is_transient():
                        await self._once()
                except SourceChanged:
                    self._forget()
                    continue
                (self._folder / SPENT_FILE).unlink(missing_ok=True)
                return self.path
        except BaseException:
            with suppress(OSError):
                (self._folder / SPENT_FILE).write_text(f"{self._patience.spent:.1f}")
            raise
        raise PermanentError("input_changed", f"it was another file each of {MOST_CHANGES} times")

    async def _once(self) -> None:
        begun, inherited = self._begun(), self._is_inherited
        if begun and begun.whole and not inherited:
            return
        if begun is None:
            self._forget()
        first = next(begun.missing(), 0) if begun else 0
        start, end = begun.span(first) if begun else (0, None)
        if begun and begun.whole:
            # One byte brings everything that the server says about the content.
            end = 1
        stalled = plain = False
        for _ in range(MOST_BREAKS):
            async with AsyncExitStack() as stack:
                reply = await self._ask(stack, start, end, begun.version if begun and not plain else None, plain=plain)
                self._refuse_larger(reply.size or 0)
                if begun and inherited:
                    self._confirm(begun, reply)
                    if begun.whole:
                        return
                await self._room.reserve(reply.size)
                try:
                    if reply.ranged and reply.version and not plain:
                        await self._in_ranges(reply, first, begun or ChunkMap(reply.version, self._limits.chunk_bytes))
                    else:
                        await self._in_one_piece(reply)
                    return
                except Trouble as trouble:
                    if trouble.kind == "refused" and not plain:
                        # No second range is given out. The whole is worth one try more.
                        plain = True
                        continue
                    delay, stalled = self._patience.after(trouble), trouble.kind == "stalled"
            await asyncio.sleep(delay)
        code = "input_timeout" if stalled else "input_unreachable"
        raise PermanentError(code, f"the connection broke off {MOST_BREAKS} times, and the server cannot resume")

    async def _ask(
        self, stack: AsyncExitStack, start: int, end: int | None, expected: Version | None, *, plain: bool
    ) -> Reply:
        """The first answer, after as many tries as the source is worth."""
        while True:
            try:
                return await stack.enter_async_context(self._remote.read(start, end, expected, plain=plain))
            except Trouble as trouble:
                await asyncio.sleep(self._patience.after(trouble))

    async def _in_ranges(self, reply: Reply, first: int, chunks: ChunkMap) -> None:
        async with landing_file(self.path, chunks.version.size, self._on_head) as file:
            fetch = RangeFetch(
                self._remote,
                file,
                chunks,
                self._patience,
                state=self._folder / STATE_FILE,
                connections=self._limits.connections,
                checkpoint_seconds=self._limits.checkpoint_seconds,
                on_progress=self._on_progress,
            )
            await fetch.run(reply, first)

    async def _in_one_piece(self, reply: Reply) -> None:
        """From a server without ranges: what breaks off begins anew."""
        self._forget()
        received = 0

        async def landed(count: int) -> None:
            nonlocal received
            received += count
            self._patience.received(count)
            self._refuse_larger(received)
            if reply.length:
                await self._on_progress(received / reply.length)
            else:
                await self._room.grown(received)

        async with landing_file(self.path, reply.length, self._on_head) as file:
            await file.write(0, reply.body, landed)
            if received != (reply.length or received):
                raise Trouble("broken", "the connection broke off")
            if not received:
                raise PermanentError("input_empty")
            file.end_of_head()
            await file.sync()
        told = reply.version if reply.version and reply.version.size == received else Version(received)
        whole = ChunkMap(told, self._limits.chunk_bytes)
        whole.mark_all()
        whole.save(self._folder / STATE_FILE)

    def _spent(self) -> float:
        if self._is_inherited:
            return 0.0
        try:
            return float((self._folder / SPENT_FILE).read_text())
        except (OSError, ValueError):
            return 0.0

    def _begun(self) -> ChunkMap | None:
        """What an earlier process has left, or an earlier job, where it can be told that it belongs to the same content."""
        inherited = self._is_inherited
        begun = ChunkMap.load(self._folder / (INHERITED_STATE if inherited else STATE_FILE))
        if not begun or not self.path.exists() or self.path.stat().st_size != begun.version.size:
            return None
        if inherited and self._only_tagged and not begun.version.etag:
            return None
        return begun if (begun.whole and not inherited) or begun.version.is_marked else None

    @property
    def _is_inherited(self) -> bool:
        """What is there was downloaded by another job, and nobody has asked yet whether the content is still the same."""
        return (self._folder / INHERITED_STATE).exists() and not (self._folder / STATE_FILE).exists()

    def _confirm(self, begun: ChunkMap, reply: Reply) -> None:
        """Make what is inherited this job's own, now that the server has said that it is the same content.

        Raises:
            SourceChanged: it has not said so clearly enough.
        """
        if self._only_tagged and (reply.version is None or reply.version.etag != begun.version.etag):
            raise SourceChanged
        begun.save(self._folder / STATE_FILE)
        (self._folder / INHERITED_STATE).unlink(missing_ok=True)

    def _forget(self) -> None:
        """What is there belongs to another content."""
        for state in (STATE_FILE, INHERITED_STATE):
            (self._folder / state).unlink(missing_ok=True)

    def _refuse_larger(self, size: int) -> None:
        if size > self._limits.max_bytes:
            raise PermanentError("input_too_large", f"{size} bytes, at most {self._limits.max_bytes}")


def content_of(folder: Path, shown_address: str) -> str:
    """What tells the content of a source that was downloaded from others, by the word of its server; empty where it said nothing.

    Args:
        shown_address: of the source, without its secrets.
    """
    here = ChunkMap.load(folder / STATE_FILE)
    if here is None or not here.version.is_marked or (is_masked(shown_address) and not here.version.etag):
        return ""
    return f"{shown_address.partition('?')[0]} {here.version}"

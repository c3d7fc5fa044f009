"""Several jobs, and that the list of jobs has changed, as one response of server-sent events: what a page with a list needs."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack, suppress

from aiohttp import web

from services.api.accounts.sessions import Session
from services.api.http.event_response import EVENT_HEADERS, GONE_SECONDS, KEEP_ALIVE_SECONDS
from services.api.jobs.event_stream import PAUSE_SECONDS, Bell, EventStream, Frame, Watch

# Whoever hears of a changed list reads it again.
LIST_PAUSE_SECONDS = 1.0
_LIST_CHANGED = b"event: list\ndata: {}\n\n"


async def send_list_events(
    stream: EventStream,
    request: web.Request,
    org: str,
    jobs: Sequence[str],
    session: Session,
    fields: Collection[str] | None = None,
) -> web.StreamResponse:
    """Send the state of each of these jobs, now and whenever it changes, until it has ended; and word of a changed list.

    It goes on until the client is gone or the session is over. Jobs that the organization does not have are passed over.

    Args:
        fields: the members of a job to show, beside its id; None for all.

    Raises:
        DatabaseDown: before anything was sent.
    """
    async with AsyncExitStack() as stack:
        bell = stack.enter_context(stream.listed(org))
        shown = None if fields is None else {*fields, "id"}
        rows = _Rows([await stack.enter_async_context(stream.watch(org, job, bell)) for job in jobs], shown)
        first = await rows.read()
        response = web.StreamResponse(headers=EVENT_HEADERS)
        await response.prepare(request)
        # An error here means that the client has gone, and nobody is left to be told.
        with suppress(ConnectionError, TimeoutError):
            await response.write(b"retry: 2000\n\n" + first)
            await _send(stream, request, response, rows, bell, session)
            await response.write_eof()
        return response


class _Rows:
    """What was sent of each job. ``shown``: the members that are; None for all."""

    def __init__(self, watches: Sequence[Watch], shown: Collection[str] | None) -> None:
        self._shown = shown
        self._watches = list(watches)
        self._sent: dict[Watch, tuple[Frame, str]] = {}

    async def read(self) -> bytes:
        """All of them, as they are now."""
        frames = await asyncio.gather(*(watch.read() for watch in self._watches))
        pairs = list(zip(self._watches, frames, strict=True))
        self._watches = [watch for watch, frame in pairs if frame]
        return b"".join(self._message(watch, frame) for watch, frame in pairs if frame)

    def news(self) -> bytes:
        """Those that have changed."""
        newer = ((watch, watch.newer(self._sent[watch][0])) for watch in self._watches)
        return b"".join([self._message(watch, frame) for watch, frame in newer if frame])

    def _message(self, watch: Watch, frame: Frame) -> bytes:
        text, before = frame.shown(self._shown), self._sent.get(watch)
        self._sent[watch] = (frame, text)
        return frame.message(text) if before is None or before[1] != text else b""


async def _send(
    stream: EventStream, request: web.Request, response: web.StreamResponse, rows: _Rows, bell: Bell, session: Session
) -> None:
    clock = asyncio.get_running_loop().time
    sent_at = told_at = clock()
    while not (stream.stopping or session.over):
        with suppress(TimeoutError):
            async with asyncio.timeout(LIST_PAUSE_SECONDS if bell.list_changed else GONE_SECONDS):
                await bell.rung.wait()
        bell.rung.clear()
        if request.transport is None or request.transport.is_closing():
            return
        message = rows.news()
        if bell.list_changed and clock() - told_at >= LIST_PAUSE_SECONDS:
            bell.list_changed, told_at = False, clock()
            message += _LIST_CHANGED
        if not message and clock() - sent_at > KEEP_ALIVE_SECONDS - GONE_SECONDS:
            message = b": still here\n\n"
        if message:
            sent_at = clock()
            await response.write(message)
        # However many jobs have changed one after the other, they are looked through a few times a second.
        await asyncio.sleep(PAUSE_SECONDS)

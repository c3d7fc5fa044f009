"""A job's states as a response of server-sent events."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

from aiohttp import web

from services.api.accounts.sessions import Session
from services.api.contract.errors import NotFound
from services.api.jobs.event_stream import EventStream, Frame, Watch

KEEP_ALIVE_SECONDS = 15.0
GONE_SECONDS = 3.0
EVENT_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    # Proxies such as nginx would collect what is meant to arrive at once.
    "X-Accel-Buffering": "no",
}


async def send_events(
    stream: EventStream,
    request: web.Request,
    org: str,
    job: str,
    session: Session,
    fields: Collection[str] | None = None,
) -> web.StreamResponse:
    """Send the job's state, now and whenever what is shown of it changes.

    It goes on until the job has ended, the client is gone or the session is over.

    A client that comes back after it has got the final state (``Last-Event-ID``) is answered 204, which is how an
    ``EventSource`` learns that it need not come again.

    Args:
        fields: the members to show; None for all.

    Raises:
        NotFound: the organization has no such job.
        DatabaseDown: before anything was sent.
    """
    async with stream.watch(org, job) as watch:
        # Not what others were sent last, which may be a moment old.
        frame = await watch.read()
        if frame is None:
            raise NotFound()
        if frame.final and request.headers.get("Last-Event-ID") == str(frame.place[0]):
            return web.Response(status=204)
        response = web.StreamResponse(headers=EVENT_HEADERS)
        await response.prepare(request)
        # An error here means that the client has gone, and nobody is left to be told.
        with suppress(ConnectionError, TimeoutError):
            await _send(stream, request, response, watch, frame, session, fields)
        return response


async def _send(
    stream: EventStream,
    request: web.Request,
    response: web.StreamResponse,
    watch: Watch,
    frame: Frame,
    session: Session,
    fields: Collection[str] | None,
) -> None:
    clock = asyncio.get_running_loop().time
    text = frame.shown(fields)
    await response.write(b"retry: 2000\n\n" + frame.message(text))
    sent, sent_at = frame, clock()
    while not (sent.final or stream.stopping or session.over):
        await watch.news(sent, GONE_SECONDS)
        if request.transport is None or request.transport.is_closing():
            return
        if newer := watch.newer(sent):
            before, text, sent = text, newer.shown(fields), newer
            # Of the end everybody is told, or would wait for it for ever.
            if text != before or sent.final:
                sent_at = clock()
                await response.write(sent.message(text))
        elif clock() - sent_at > KEEP_ALIVE_SECONDS - GONE_SECONDS:
            sent_at = clock()
            await response.write(b": still here\n\n")
    await response.write_eof()

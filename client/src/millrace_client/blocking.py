"""Flows done step by step, with a blocking client of httpx."""

import time
from collections.abc import Iterator
from typing import Any, TypeVar

import httpx

from millrace_client.errors import Unreachable
from millrace_client.http import (
    PIECE_BYTES,
    TIMEOUT,
    answer,
    arguments,
    is_events,
    piece_arguments,
    streaming,
    unreachable,
)
from millrace_client.steps import (
    Answer,
    Came,
    Close,
    Feed,
    Flow,
    Measure,
    Open,
    Pause,
    Read,
    Request,
    Send,
    SendPiece,
    Show,
    Step,
)

T = TypeVar("T")


class BlockingTransport:
    """Does what flows ask for.

    Args:
        http: used and left open if given, for proxies and the like; else one is made, and closed by :meth:`close`.
    """

    def __init__(self, http: httpx.Client | None = None) -> None:
        self._http = http or httpx.Client(timeout=TIMEOUT)
        self._owned = http is None

    def close(self) -> None:
        """Close all connections."""
        if self._owned:
            self._http.close()

    def run(self, flow: Flow[T]) -> T:
        """The result of a flow."""
        work = _Work(self._http)
        came: Any = None
        try:
            while True:
                step = flow.throw(came) if isinstance(came, Unreachable) else flow.send(came)
                came = None if isinstance(step, Show) else work.do(step)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            work.close()

    def show(self, feed: Feed[T]) -> Iterator[T]:
        """The items of a feed."""
        work = _Work(self._http)
        came: Any = None
        try:
            while True:
                try:
                    step = feed.throw(came) if isinstance(came, Unreachable) else feed.send(came)
                except StopIteration:
                    return
                if isinstance(step, Show):
                    came = None
                    yield step.item
                else:
                    came = work.do(step)
        finally:
            work.close()


class _Work:
    """The steps of one flow, which has one stream open at most."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._opened: tuple[Request, httpx.Response, Iterator[bytes]] | None = None

    def do(self, step: Step) -> Came:
        match step:
            case Send():
                return self._send(step.request)
            case Measure():
                return step.file.stat().st_size
            case SendPiece():
                return self._send_piece(step)
            case Open():
                return self._open(step)
            case Read():
                return self._read()
            case Close():
                self.close()
            case Pause():
                time.sleep(step.seconds)
        return None

    def close(self) -> None:
        if self._opened:
            self._opened[1].close()
            self._opened = None

    def _send(self, request: Request) -> Answer | Unreachable:
        try:
            return answer(self._http.request(**arguments(request)))
        except httpx.RequestError as error:
            return unreachable(error, request)

    def _send_piece(self, step: SendPiece) -> Answer | Unreachable:
        def pieces() -> Iterator[bytes]:
            with step.file.open("rb") as file:
                file.seek(step.begin)
                left = step.size
                while left and (piece := file.read(min(PIECE_BYTES, left))):
                    yield piece
                    left -= len(piece)
                    step.sent(step.size - left)

        try:
            return answer(self._http.request(**piece_arguments(step), content=pieces()))
        except httpx.RequestError as error:
            return unreachable(error, step.request)

    def _open(self, step: Open) -> Answer | Unreachable:
        try:
            built = self._http.build_request(**arguments(step.request), timeout=streaming(step.quiet_seconds))
            response = self._http.send(built, stream=True)
            if is_events(response):
                self._opened = (step.request, response, response.iter_bytes())
                return answer(response, text=False)
            try:
                response.read()
            finally:
                response.close()
            return answer(response)
        except httpx.RequestError as error:
            return unreachable(error, step.request)

    def _read(self) -> bytes | Unreachable:
        if not self._opened:
            return b""
        request, _, pieces = self._opened
        try:
            return next(pieces, b"")
        except httpx.RequestError as error:
            return unreachable(error, request)

"""What both transports have in common: httpx's requests, answers and errors."""

from collections.abc import Mapping
from typing import Any

import httpx

from millrace_client.errors import Unreachable
from millrace_client.steps import Answer, Request, SendPiece

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
# A storage may take its time to put a large object away before it says so.
UPLOAD_TIMEOUT = httpx.Timeout(120.0, connect=10.0)
PIECE_BYTES = 256 * 1024
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


def arguments(request: Request) -> Mapping[str, Any]:
    """For ``build_request`` of either client."""
    return {"method": request.method, "url": request.url, "headers": dict(request.headers), "content": request.body}


def piece_arguments(step: SendPiece) -> Mapping[str, Any]:
    """The same for a piece of a file, but for its content. That the length is known keeps it from being sent in chunks."""
    headers = {**step.request.headers, "Content-Length": str(step.size)}
    return {"method": step.request.method, "url": step.request.url, "headers": headers, "timeout": UPLOAD_TIMEOUT}


def is_events(response: httpx.Response) -> bool:
    """Whether an answer goes on and on."""
    return response.status_code == 200 and response.headers.get("content-type", "").startswith("text/event-stream")


def answer(response: httpx.Response, *, text: bool = True) -> Answer:
    """The answer that a response is."""
    # JSON is in UTF-8, whatever the header says or does not say.
    content = response.content.decode(errors="replace") if text else ""
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, content)


def streaming(seconds: float) -> httpx.Timeout:
    """Timeouts of a stream that counts as broken after so many seconds of silence."""
    return httpx.Timeout(seconds, connect=min(seconds, 10.0), write=min(seconds, 30.0))


def unreachable(error: httpx.RequestError, request: Request) -> Unreachable:
    """What to raise for an error of httpx."""
    # The address as far as the path: it has no secrets.
    where = request.url.partition("?")[0]
    reason = str(error) or type(error).__name__
    sent = not isinstance(error, _NOT_SENT)
    check = "Check MILLRACE_API_URL" if request.own else "Check that the storage can be reached from here"
    advice = "The answer was lost." if sent else f"{check}, and that the server is up."
    made = Unreachable(f"{request.method} {where}: {reason}. {advice}", sent=sent)
    made.__cause__ = error
    return made

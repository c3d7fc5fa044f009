"""HTTP on one connection, as aiohttp speaks it, but for what it says where a request never becomes one."""

from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from services.api.http.answers import json_answer

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest


class Protocol(web.RequestHandler):
    """Answers in JSON to a head that is malformed or too large too, and leaves the log to those who can do something about it."""

    def handle_error(
        self, request: "BaseRequest", status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to a request that no handler has answered. It closes the connection.

        Raises:
            ConnectionError: part of an answer has been sent already.
        """
        if status >= 500:
            structlog.get_logger().error("request failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer has been sent already")
        if status >= 500:
            detail = "The server failed unexpectedly."
        else:
            # Not aiohttp's words: they repeat what was sent, secrets included.
            detail = "This is no HTTP/1.1 request, or its first line or one of its headers is too long."
        response = json_answer({"detail": detail}, status, {"Server": "millrace"})
        response.force_close()
        return response

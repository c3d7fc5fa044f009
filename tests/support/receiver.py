"""A webhook receiver for tests: it writes down every request and answers as it is told.

async with WebhookReceiver() as receiver:                      # 200 to everything
    receiver.replies = [Reply(503), Reply(503)]                # the next two fail, then 200 again
    receiver.decide = lambda payload: Reply(500) if payload.status == "queued" else Reply()
    payloads = await receiver.wait_for(3)
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

_RANKS = {"queued": 0, "transcoding": 1, "completed": 2, "error": 2, "cancelled": 2}


@dataclass(frozen=True)
class WebhookPayload:
    """A request as it came in; ``at`` is in monotonic seconds."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def job(self) -> dict[str, Any]:
        """The body as an object."""
        parsed = json.loads(self.body)
        assert isinstance(parsed, dict)
        return parsed

    @property
    def status(self) -> str:
        """The status that it tells."""
        return str(self.job["status"])

    @property
    def queue(self) -> tuple[str, str]:
        """Job and path: what must be told in order."""
        return str(self.job["id"]), self.path

    @property
    def message_id(self) -> str:
        """``webhook-id``."""
        return self.headers["webhook-id"]

    def is_signed_with(self, key: bytes) -> bool:
        """Whether a Standard Webhooks signature was made with this key, seconds ago at most."""
        signed = b".".join([self.message_id.encode(), self.headers["webhook-timestamp"].encode(), self.body])
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        fresh = abs(time.time() - int(self.headers["webhook-timestamp"])) < 60
        return fresh and expected in self.headers["webhook-signature"].split(" ")


@dataclass(frozen=True)
class Reply:
    """An answer, given after some seconds."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    body: str = "taken"


class WebhookReceiver:
    """Listens on a free loopback port while the block lasts.

    Attributes:
        payloads: the requests so far, in the order of their arrival.
        accepted: message ids of the payloads that were answered with 2xx.
        overtaken: payloads that came in after a newer state of their job had been accepted at the same path.
        replies: answers for the next requests, first one first.
        decide: gives the answer once ``replies`` is used up; 200 by default.
    """

    def __init__(self, decide: Callable[[WebhookPayload], Reply] | None = None) -> None:
        self.payloads: list[WebhookPayload] = []
        self.accepted: list[str] = []
        self.overtaken: list[WebhookPayload] = []
        self.replies: list[Reply] = []
        self.decide = decide or (lambda _letter: Reply())
        self._newest: dict[tuple[str, str], int] = {}
        self._changed = asyncio.Condition()
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Its address; any path and query may be added to it."""
        return f"http://127.0.0.1:{self._port}"

    def told(self, job: str) -> list[str]:
        """The statuses that came in for a job, in the order of their arrival."""
        return [payload.status for payload in self.payloads if payload.job["id"] == job]

    async def wait_for(
        self, count: int, *, seconds: float = 15, where: Callable[[WebhookPayload], bool] | None = None
    ) -> list[WebhookPayload]:
        """The payloads, as soon as there are so many (of those that ``where`` holds for).

        Raises:
            AssertionError: they did not come in time.
        """

        def matching() -> list[WebhookPayload]:
            return [payload for payload in self.payloads if where is None or where(payload)]

        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: len(matching()) >= count)
        except TimeoutError:
            came = [payload.message_id for payload in self.payloads]
            raise AssertionError(f"{len(matching())} payloads of {count} within {seconds} s; in all: {came}") from None
        return matching()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        payload = WebhookPayload(request.path_qs, request.headers, await request.read(), time.monotonic())
        reply = self.replies.pop(0) if self.replies else self.decide(payload)
        async with self._changed:
            self.payloads.append(payload)
            if _RANKS[payload.status] < self._newest.get(payload.queue, 0):
                self.overtaken.append(payload)
            self._changed.notify_all()
        await asyncio.sleep(reply.seconds)
        if 200 <= reply.status < 300:
            self.accepted.append(payload.message_id)
            self._newest[payload.queue] = max(_RANKS[payload.status], self._newest.get(payload.queue, 0))
        return web.Response(status=reply.status, headers=dict(reply.headers), text=reply.body)

"""The health port: is the process alive, can it do its work, and how much of it does it do."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from shared.metrics import CONTENT_TYPE, exposition

Check = Callable[[], Awaitable[None]]
"""Asks a real dependency; raises when it does not answer."""


async def still_starting() -> None:
    """The check of a process that has not started yet. Raises: ConnectionError."""
    raise ConnectionError("still starting")


class Health:
    """Serves ``/health/live`` and ``/health/ready``, and on a port of its own ``/metrics`` as well.

    Live is 200 while the event loop turns; ready is 200 when every check passes, else 503 with reasons; metrics are in
    Prometheus' text format.

    Args:
        checks: by the name of the dependency.
        facts: what readiness tells beside them, by name, and does not depend on.
    """

    def __init__(self, checks: Mapping[str, Check], facts: Mapping[str, object] | None = None) -> None:
        self._checks = checks
        self._facts = {} if facts is None else facts
        self._runner: web.AppRunner | None = None
        self.stopping = False

    def routes(self) -> list[web.RouteDef]:
        """The routes of health, for a service that has a web application anyhow, for everybody. Metrics are not for everybody."""
        return [web.get("/health/live", self._live), web.get("/health/ready", self._ready)]

    async def problems(self) -> dict[str, str]:
        """What keeps this process from being ready, by the name of the dependency."""
        problems = {"process": "stopping"} if self.stopping else {}
        # A copy: while one is asked, a service that starts adds its own.
        for name, check in list(self._checks.items()):
            try:
                await asyncio.wait_for(check(), timeout=3)
            except Exception as error:
                # Only the kind of the error: this port is often open to more eyes than the logs are.
                problems[name] = type(error).__name__
        return problems

    async def metrics(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return exposition()

    async def start(self, host: str, port: int, *, reuse_port: bool = False) -> None:
        """Listen. Port 0 means no health port.

        Args:
            reuse_port: other processes listen there too.
        """
        if not port:
            return
        app = web.Application()
        app.add_routes([*self.routes(), web.get("/metrics", self._metrics)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, reuse_port=reuse_port).start()

    async def stop(self) -> None:
        """Close the port."""
        if self._runner:
            await self._runner.cleanup()

    async def _live(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=await self.metrics(), headers={"Content-Type": CONTENT_TYPE})

    async def _ready(self, _request: web.Request) -> web.Response:
        problems = await self.problems()
        return web.json_response(
            {"status": "ready" if not problems else "not ready", "problems": problems, **self._facts},
            status=503 if problems else 200,
        )

"""The edge to HTTP of what operators see and do: workers, queues and dead letters of the whole server."""

import re
from collections.abc import Sequence

from aiohttp import web
from pydantic import BaseModel

from services.api.accounts.accounts import Identity
from services.api.contract.listing import PAGE_PARAMETERS, ParameterReader, Window, read_window
from services.api.contract.operator_models import DrainRequest
from services.api.contract.validation import validate
from services.api.http.answers import json_answer
from services.api.http.authorized import Services, authorized, number_in_path, query_of
from services.api.http.body import read_body
from services.api.http.resource import ResourceHandlers
from services.api.operator.dead_letters import Wanted

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_NAME = "Enter letters and digits."


class OperatorHandlers(ResourceHandlers):
    """Their part of the REST API."""

    def routes(self) -> list[web.RouteDef]:
        """All of their routes."""
        server = "/api/v1/operator/"
        letters = server + "dead_letters/"
        letter = letters + "{letter}/"
        runtime = self._runtime
        return [
            web.get(server + "workers/", authorized(runtime, self.list_workers)),
            web.post(server + "workers/{worker}/drain/", authorized(runtime, self.drain_worker)),
            web.get(server + "queues/", authorized(runtime, self.list_queues)),
            web.get(letters, authorized(runtime, self.list_dead_letters)),
            web.get(letter, authorized(runtime, self.read_dead_letter)),
            web.post(letter + "requeue/", authorized(runtime, self.requeue_dead_letter)),
            web.delete(letter, authorized(runtime, self.drop_dead_letter)),
        ]

    async def list_workers(self, request: web.Request, services: Services, _: Identity) -> web.StreamResponse:
        """A page of the workers."""
        window = read_window(query_of(request))
        found = await services.desk.workers()
        return self._models(request, window, found[window.offset : window.offset + window.size], len(found))

    async def drain_worker(self, request: web.Request, services: Services, _: Identity) -> web.StreamResponse:
        """Have a worker take no new work."""
        _body, members = await read_body(request)
        wanted = validate(DrainRequest, members, policy=self._policy)
        worker = await services.desk.drain(request.match_info["worker"], stay=wanted.stay)
        return json_answer(worker.model_dump_json(), 202)

    async def list_queues(self, request: web.Request, services: Services, _: Identity) -> web.StreamResponse:
        """A page of the queues."""
        window = read_window(query_of(request))
        found = await services.desk.queues()
        return self._models(request, window, found[window.offset : window.offset + window.size], len(found))

    async def list_dead_letters(self, request: web.Request, services: Services, _: Identity) -> web.StreamResponse:
        """A page of the dead letters."""
        reader = ParameterReader(query_of(request), ("organization", "job", "service", *PAGE_PARAMETERS))
        org, job, service = (reader.text(name, _NAME, _NO_NAME) for name in ("organization", "job", "service"))
        window = reader.window()
        reader.finish()
        count, found = await services.desk.dead_letters(Wanted(job=job, org=org, service=service), window)
        return self._models(request, window, found, count)

    async def read_dead_letter(self, request: web.Request, services: Services, _: Identity) -> web.StreamResponse:
        """A dead letter with its message."""
        return json_answer((await services.desk.dead_letter(number_in_path(request, "letter"))).model_dump_json())

    async def requeue_dead_letter(self, request: web.Request, services: Services, _: Identity) -> web.StreamResponse:
        """Have done once more what was given up."""
        return json_answer((await services.desk.requeue(number_in_path(request, "letter"))).model_dump_json())

    async def drop_dead_letter(self, request: web.Request, services: Services, _: Identity) -> web.StreamResponse:
        """Remove a dead letter."""
        await services.desk.drop(number_in_path(request, "letter"))
        return web.Response(status=204)

    def _models(self, request: web.Request, window: Window, found: Sequence[BaseModel], count: int) -> web.Response:
        return json_answer(self._page(request, window, [one.model_dump_json() for one in found], count))

"""The edge to HTTP of uploads."""

from aiohttp import web

from services.api.accounts.accounts import Identity
from services.api.contract.listing import read_window
from services.api.contract.uploads import UploadRequest
from services.api.contract.validation import validate
from services.api.http.answers import json_answer
from services.api.http.authorized import Services, authorized, query_of, uuid_in_path
from services.api.http.body import read_body
from services.api.http.resource import ResourceHandlers


class UploadHandlers(ResourceHandlers):
    """Their part of the REST API."""

    def routes(self) -> list[web.RouteDef]:
        """All of their routes."""
        uploads = "/api/v1/{org}/uploads/"
        upload = uploads + "{upload}/"
        runtime = self._runtime
        return [
            web.post(uploads, authorized(runtime, self.begin)),
            web.get(uploads, authorized(runtime, self.list)),
            web.get(upload, authorized(runtime, self.read)),
            web.delete(upload, authorized(runtime, self.give_up)),
            web.post(upload + "complete/", authorized(runtime, self.complete)),
        ]

    async def begin(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Say where a file is to be sent to."""
        _, members = await read_body(request)
        wanted = validate(UploadRequest, members, policy=self._policy)
        address = self._links.address(request)
        begun = await services.uploads.begin(identity.org, wanted, address)
        return json_answer(begun.model_dump_json(), 201, {"Location": f"{address}{begun.id}/"})

    async def list(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """A page of the organization's uploads."""
        window = read_window(query_of(request))
        count, found = await services.uploads.page(identity.org, window)
        items = [one.model_dump_json() for one in found]
        return json_answer(self._page(request, window, items, count))

    async def read(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """One upload."""
        return json_answer(
            (await services.uploads.read(identity.org, uuid_in_path(request, "upload"))).model_dump_json()
        )

    async def complete(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Take note that all of a file was sent."""
        done = await services.uploads.complete(identity.org, uuid_in_path(request, "upload"))
        return json_answer(done.model_dump_json())

    async def give_up(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Have a file removed."""
        await services.uploads.give_up(identity.org, uuid_in_path(request, "upload"))
        return web.Response(status=204)

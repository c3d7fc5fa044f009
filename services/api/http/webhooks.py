"""The edge to HTTP of webhooks and their deliveries."""

from aiohttp import web

from services.api.accounts.accounts import Identity
from services.api.contract.listing import read_delivery_query, read_window
from services.api.contract.models import RotationRequest, WebhookRequest
from services.api.contract.responses import SECRET_PLACEHOLDER, Webhook
from services.api.contract.validation import validate
from services.api.http.answers import json_answer
from services.api.http.authorized import Services, authorized, number_in_path, query_of, uuid_in_path
from services.api.http.body import read_body
from services.api.http.resource import ResourceHandlers


class WebhookHandlers(ResourceHandlers):
    """Their part of the REST API."""

    def routes(self) -> list[web.RouteDef]:
        """All of their routes."""
        hooks = "/api/v1/{org}/webhooks/"
        hook = hooks + "{hook}/"
        deliveries = hook + "deliveries/"
        runtime = self._runtime
        return [
            web.post(hooks, authorized(runtime, self.register)),
            web.get(hooks, authorized(runtime, self.list)),
            web.get(hook, authorized(runtime, self.read)),
            web.put(hook, authorized(runtime, self.replace)),
            web.delete(hook, authorized(runtime, self.remove)),
            web.post(hook + "test/", authorized(runtime, self.test)),
            web.post(hook + "rotate/", authorized(runtime, self.rotate)),
            web.get(deliveries, authorized(runtime, self.list_deliveries)),
            web.get(deliveries + "{delivery}/", authorized(runtime, self.read_delivery)),
            web.post(deliveries + "{delivery}/redeliver/", authorized(runtime, self.redeliver)),
        ]

    async def register(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Register a webhook."""
        _, members = await read_body(request)
        wanted = validate(WebhookRequest, members, policy=self._policy)
        hook = await services.webhooks.register(identity.org, wanted)
        return json_answer(hook.model_dump_json(), 201, {"Location": f"{self._links.address(request)}{hook.id}/"})

    async def list(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """A page of the organization's webhooks."""
        window = read_window(query_of(request))
        count, found = await services.webhooks.page(identity.org, window)
        items = [_without_secret(hook, identity).model_dump_json() for hook in found]
        return json_answer(self._page(request, window, items, count))

    async def read(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """One webhook."""
        hook = await services.webhooks.read(identity.org, uuid_in_path(request, "hook"))
        return json_answer(_without_secret(hook, identity).model_dump_json())

    async def replace(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Replace a webhook's members."""
        hook = uuid_in_path(request, "hook")
        _, members = await read_body(request)
        wanted = validate(WebhookRequest, members, policy=self._policy)
        return json_answer((await services.webhooks.replace(identity.org, hook, wanted)).model_dump_json())

    async def remove(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Remove a webhook."""
        await services.webhooks.remove(identity.org, uuid_in_path(request, "hook"))
        return web.Response(status=204)

    async def test(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Send a webhook a test."""
        queued = await services.deliveries.test(identity.org, uuid_in_path(request, "hook"))
        return json_answer(queued.model_dump_json(), 202)

    async def rotate(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Give a webhook another secret."""
        hook = uuid_in_path(request, "hook")
        _, members = await read_body(request)
        wanted = validate(RotationRequest, members, policy=self._policy)
        return json_answer((await services.webhooks.rotate(identity.org, hook, wanted)).model_dump_json())

    async def list_deliveries(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """A page of the attempts to deliver to a webhook."""
        hook, parameters = uuid_in_path(request, "hook"), query_of(request)
        wanted, window = read_delivery_query(parameters)
        found = await services.deliveries.page(identity.org, hook, wanted, window)
        return json_answer(self._page(request, window, found.items, found.count))

    async def read_delivery(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """One attempt to deliver, with what was sent and what was answered."""
        hook, delivery = uuid_in_path(request, "hook"), number_in_path(request, "delivery")
        return json_answer(await services.deliveries.read(identity.org, hook, delivery))

    async def redeliver(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Make a delivery once more."""
        hook, delivery = uuid_in_path(request, "hook"), number_in_path(request, "delivery")
        queued = await services.deliveries.redeliver(identity.org, hook, delivery)
        return json_answer(queued.model_dump_json(), 202)


def _without_secret(hook: Webhook, identity: Identity) -> Webhook:
    """A webhook as it is shown: whoever has its secret can send in our name, which is more than to read."""
    return hook if identity.may("member") else hook.model_copy(update={"secret_token": SECRET_PLACEHOLDER})

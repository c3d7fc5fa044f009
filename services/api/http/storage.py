"""The edge to HTTP of the storage of organizations."""

from aiohttp import web

from services.api.accounts.accounts import Identity
from services.api.accounts.organizations import Storages
from services.api.accounts.storage_trial import try_storage
from services.api.contract.errors import Conflict, Invalid
from services.api.contract.models import StorageRequest
from services.api.contract.storage_models import Storage, StorageStep, StorageTest
from services.api.contract.validation import validate
from services.api.http.answers import json_answer
from services.api.http.authorized import Runtime, Services, authorized
from services.api.http.body import read_body
from shared.addresses import AddressPolicy


class StorageHandlers:
    """Shows, sets and tries an organization's storage."""

    def __init__(self, runtime: Runtime, *, policy: AddressPolicy) -> None:
        self._runtime = runtime
        self._policy = policy

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        storage = "/api/v1/{org}/storage/"
        return [
            web.get(storage, authorized(self._runtime, self.show)),
            web.put(storage, authorized(self._runtime, self.replace)),
            web.post(storage + "test/", authorized(self._runtime, self.test)),
        ]

    async def show(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """The storage without its secret."""
        return json_answer((await _shown(services.storages, identity.org)).model_dump_json())

    async def replace(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Set the storage."""
        _, members = await read_body(request)
        wanted = validate(StorageRequest, members, policy=self._policy)
        try:
            await services.storages.set(identity.org, wanted.url)
        except ValueError as error:
            raise Invalid({"url": [str(error)]}) from None
        return json_answer((await _shown(services.storages, identity.org)).model_dump_json())

    async def test(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """Write, read and remove an object."""
        location = await services.storages.get(identity.org)
        if location is None:
            raise Conflict("The organization has no storage configured. Set it first.")
        steps = [
            StorageStep.model_validate({"name": step.name, "ok": step.message is None, "message": step.message})
            for step in await try_storage(location, self._policy)
        ]
        return json_answer(StorageTest(ok=all(step.ok for step in steps), steps=steps).model_dump_json())


async def _shown(storages: Storages, org: str) -> Storage:
    found = await storages.get(org)
    if found is None:
        return Storage(configured=False, location=None, region=None, endpoint=None, access_key=None)
    return Storage(
        configured=True,
        location=f"s3://{found.bucket}/" + (f"{found.key}/" if found.key else ""),
        region=found.region,
        endpoint=found.endpoint,
        access_key=found.access_key,
    )

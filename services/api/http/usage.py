"""The edge to HTTP for the usage of organizations."""

from aiohttp import web

from services.api.accounts.accounts import Identity
from services.api.contract.usage import read_usage_query
from services.api.http.answers import json_answer
from services.api.http.authorized import Runtime, Services, authorized, query_of

_CSV = "text/csv"


class UsageHandlers:
    """Shows what an organization's jobs have taken."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [web.get("/api/v1/{org}/usage/", authorized(self._runtime, self.show))]

    async def show(self, request: web.Request, services: Services, identity: Identity) -> web.StreamResponse:
        """The usage by period, in JSON or CSV."""
        query = read_usage_query(query_of(request))
        usage = await services.usages.show(identity.org, query)
        vary = {"Vary": "Accept"}
        if _prefers_csv(request.headers.get("Accept", "")) if query.as_csv is None else query.as_csv:
            disposition = {"Content-Disposition": f'attachment; filename="usage-{identity.org}.csv"'}
            return web.Response(text=usage.as_csv(), content_type=_CSV, charset="utf-8", headers=vary | disposition)
        return json_answer(usage.model_dump_json(), headers=vary)


def _prefers_csv(accept: str) -> bool:
    """Whether a header ``Accept`` names CSV, and before JSON, if it names that, too. What is wrong in it counts as not there."""
    names = [item.split(";")[0].strip().lower() for item in accept.split(",")]
    return _CSV in names and "application/json" not in names[: names.index(_CSV)]

"""The span of a request, the first one of a job's trace unless the client has begun one."""

from aiohttp import web
from aiohttp.typedefs import Handler

from shared.tracing.context import TRACEPARENT, TRACESTATE, read_context
from shared.tracing.spans import span

# What only reads begins nothing, and event streams last for hours.
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


@web.middleware
async def trace_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A span around each request that may change something: named after its route, without its path or query."""
    if request.method in _READING:
        return await handler(request)
    resource = request.match_info.route.resource
    route = resource.canonical if resource else ""
    attributes = {"http.request.method": request.method, "url.scheme": request.scheme}
    if route:
        attributes["http.route"] = route
    name = f"{request.method} {route}".rstrip()
    # Members of tracestate may come in several headers.
    given = {
        TRACEPARENT: request.headers.get(TRACEPARENT, ""),
        TRACESTATE: ",".join(request.headers.getall(TRACESTATE, ())),
    }
    with span(name, "server", attributes, parent=read_context(given)) as serving:
        response = await handler(request)
        serving.attributes["http.response.status_code"] = response.status
        if response.status >= 500:
            serving.error = str(response.status)
        return response

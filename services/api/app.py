"""The web application: routes, middlewares and limits."""

from aiohttp import web

from services.api.contract.peers import parse_hosts, parse_networks
from services.api.http.authorized import Runtime
from services.api.http.bus_users import BusUserHandlers
from services.api.http.docs_page import docs_routes
from services.api.http.handlers import Handlers
from services.api.http.links import Links
from services.api.http.middleware import answer_errors, finish_headers, log_requests
from services.api.http.tracing import trace_requests
from services.api.settings import ApiSettings
from shared.health import Health


def make_app(settings: ApiSettings, runtime: Runtime, health: Health) -> web.Application:
    """The application. It can be served before the services have started; until then the API answers 503."""
    links = Links(settings.public_url, parse_hosts(settings.host_names or ""))
    handlers = Handlers(
        runtime,
        links,
        policy=settings.address_policy,
        proxies=parse_networks(settings.trusted_proxies or ""),
    )
    app = web.Application(
        middlewares=[trace_requests, log_requests, answer_errors], client_max_size=settings.body_limit
    )
    app.on_response_prepare.append(finish_headers)
    app.add_routes(handlers.routes())
    app.add_routes(BusUserHandlers(runtime, links, policy=settings.address_policy).routes())
    app.add_routes(health.routes())
    app.add_routes(docs_routes())
    return app

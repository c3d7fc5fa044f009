"""The web application: routes, middlewares and limits."""

from aiohttp import web

from services.api.contract.peers import parse_codes, parse_hosts, parse_networks, parse_origins
from services.api.http.authorized import Runtime
from services.api.http.batches import BatchHandlers
from services.api.http.browser import Site
from services.api.http.bus_users import BusUserHandlers
from services.api.http.console import ConsoleHandlers
from services.api.http.console_files import ConsoleFiles
from services.api.http.cors import CrossOrigin
from services.api.http.docs_page import docs_routes
from services.api.http.drm import DrmHandlers
from services.api.http.handlers import Handlers
from services.api.http.keys import PLAYERS_PATHS, KeyHandlers, KeyRules
from services.api.http.licences import LicenceServer
from services.api.http.links import Links
from services.api.http.members import MemberHandlers
from services.api.http.middleware import answer_errors, finish_headers, log_requests
from services.api.http.operators import OperatorHandlers
from services.api.http.playback import PLAYED_PATH, PlaybackHandlers
from services.api.http.sessions import SessionHandlers
from services.api.http.storage import StorageHandlers
from services.api.http.tokens import TokenHandlers
from services.api.http.tracing import trace_requests
from services.api.http.uploads import UploadHandlers
from services.api.http.usage import UsageHandlers
from services.api.http.webhooks import WebhookHandlers
from services.api.playback.signatures import PlaybackSignatures
from services.api.settings import ApiSettings
from shared.health import Health


def make_app(settings: ApiSettings, runtime: Runtime, health: Health) -> web.Application:
    """The application. It can be served before the services have started; until then the API answers 503."""
    policy, proxies = settings.address_policy, parse_networks(settings.trusted_proxies or "")
    runtime.site = Site(settings.public_url, proxies)
    links = Links(settings.public_url, parse_hosts(settings.host_names or ""))
    handlers = Handlers(
        runtime,
        links,
        policy=policy,
        proxies=proxies,
    )
    drm = DrmHandlers(runtime, links, policy=policy, seconds=round(settings.key_address_seconds), proxies=proxies)
    licences = LicenceServer(settings.licence_server_url.get_secret_value() if settings.licence_server_url else None)
    rules = KeyRules(settings.signed_key_requests, frozenset(parse_codes(settings.clear_key_organizations or "")))
    keys = KeyHandlers(runtime, licences, rules, policy=policy, proxies=proxies)
    playback = PlaybackHandlers(
        runtime,
        links,
        PlaybackSignatures(settings.sealer),
        seconds=settings.playback_address_seconds,
        proxies=proxies,
    )
    players = CrossOrigin(parse_origins(settings.player_origins), (*PLAYERS_PATHS, PLAYED_PATH))
    app = web.Application(
        middlewares=[trace_requests, log_requests, answer_errors], client_max_size=settings.body_limit
    )
    app.cleanup_ctx.append(licences.life)
    app.on_response_prepare.append(finish_headers)
    app.on_response_prepare.append(players.finish_headers)
    app.add_routes(BatchHandlers(runtime, policy=policy).routes())
    app.add_routes(handlers.routes())
    app.add_routes(SessionHandlers(runtime, policy=policy).routes())
    app.add_routes(TokenHandlers(runtime, links, policy=policy).routes())
    app.add_routes(StorageHandlers(runtime, policy=policy).routes())
    app.add_routes(OperatorHandlers(runtime, links, policy=policy).routes())
    app.add_routes(MemberHandlers(runtime, links, policy=policy, proxies=proxies).routes())
    app.add_routes(WebhookHandlers(runtime, links, policy=policy).routes())
    app.add_routes(UploadHandlers(runtime, links, policy=policy).routes())
    app.add_routes(UsageHandlers(runtime).routes())
    app.add_routes(BusUserHandlers(runtime, links, policy=policy).routes())
    for part in (drm, keys, playback, players):
        app.add_routes(part.routes())
    app.add_routes(health.routes())
    app.add_routes(docs_routes())
    app.add_routes(ConsoleHandlers(ConsoleFiles(), runtime).routes())
    return app

"""The five services as programs of the stack, and the settings they get."""

import os
import sys
from collections.abc import Mapping

from shared.bus.permissions import SYSTEM
from shared.settings import CLIENT_VARIABLES
from stack.credentials import Credentials
from stack.layout import Layout
from stack.probes import http_ok
from stack.program import Program

PREFIX = "MILLRACE_"
# The servers of a stack for trying things out are all on this machine.
LOOPBACK = "127.0.0.0/8,::1"


def services(layout: Layout, credentials: Credentials, caller: Mapping[str, str] | None = None) -> list[Program]:
    """All service processes; the api first, since it migrates the database and provisions the bus."""
    return [_service(name, layout, credentials, os.environ if caller is None else caller) for name in layout.services]


def environment(name: str, layout: Layout, credentials: Credentials, caller: Mapping[str, str]) -> dict[str, str]:
    """The environment of one service process.

    The caller's ``MILLRACE_…`` variables, but for those of the Python client, go before the stack's defaults, and never
    before its addresses and keys.
    """
    service = _module(name).upper()
    defaults = {PREFIX + "ALLOWED_HOSTS": LOOPBACK, "PYTHONUNBUFFERED": "1", PREFIX + "NATS_REPLICAS": str(layout.nats)}
    own = {
        PREFIX + "NATS_URL": credentials.nats_url(layout, _module(name)),
        PREFIX + "WORKSPACE_URL": credentials.workspace_url(layout),
        PREFIX + "SCRATCH": str(layout.scratch(name)),
    }
    if _module(name) != "transcoder":
        own[PREFIX + "SEAL_KEYS"] = credentials.seal_key
    if layout.nats_ca:
        own[PREFIX + "NATS_TLS_CA"] = str(layout.nats_ca)
        own[PREFIX + "NATS_TLS_FIRST"] = "true"
    port = str(layout.ports[name])
    if name == "api":
        own[PREFIX + "API_HOST"] = "127.0.0.1"
        own[PREFIX + "API_PORT"] = port
        own[PREFIX + "API_HEALTH_HOST"] = "127.0.0.1"
        own[PREFIX + "API_HEALTH_PORT"] = str(layout.health_ports[name])
        own[PREFIX + "API_BUS_ISSUER_SEED"] = credentials.bus_issuer_seed
        own[PREFIX + "API_BUS_SYSTEM_URL"] = credentials.nats_url(layout, SYSTEM)
        own[PREFIX + "API_DATABASE_URL"] = credentials.database_url(layout)
    else:
        own[f"{PREFIX}{service}_HEALTH_HOST"] = "127.0.0.1"
        own[f"{PREFIX}{service}_HEALTH_PORT"] = port
    # A token of the caller's, or keys of another stack's, are nothing that a service needs.
    foreign = CLIENT_VARIABLES | {PREFIX + "SEAL_KEYS"}
    kept = {name: value for name, value in caller.items() if name not in foreign}
    return defaults | kept | own


def _service(name: str, layout: Layout, credentials: Credentials, caller: Mapping[str, str]) -> Program:
    port = layout.ports[name]
    env = environment(name, layout, credentials, caller)
    return Program(
        name=name,
        port=port,
        argv=(sys.executable, "-m", f"services.{_module(name)}"),
        env=env,
        ready=lambda: http_ok(port, "/health/ready", timeout=4),
        after=(*layout.nats_nodes, "postgres") if name == "api" else layout.nats_nodes,
        grace=float(env.get(f"{PREFIX}{_module(name).upper()}_GRACE_SECONDS") or 10) + 5,
    )


def _module(name: str) -> str:
    return name.partition("-")[0]

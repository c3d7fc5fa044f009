"""Servers, and the services on them, each of some version."""

import asyncio
import json
import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from nats.aio.client import Client

from stack.probes import http_ok
from tests.rolling.versions import Version
from tests.support import watch
from tests.support.api import PASSWORD, SEAL_KEY
from tests.support.receiver import WebhookReceiver
from tests.support.s3 import REGION, s3_server
from tests.support.servers import Server, nats_server, postgres_server
from tests.support.sources import SourceServer, source_server

WORKERS = ("fetcher", "transcoder-1", "transcoder-2", "uploader-1", "uploader-2", "notifier")
"""Two of those whose work on one job meets: a part that one of another version has made, or uploaded."""

LOOPBACK = "127.0.0.1"
_LEASE_SECONDS = 5


class RolledService(Server):
    """A service that goes over from version to version, at the same port and with the same settings.

    Args:
        name: of the service, with a number where there are several.
        settings: environment variables.
    """

    def __init__(self, name: str, version: Version, settings: Mapping[str, str]) -> None:
        super().__init__()
        self.name = name
        self.version = version
        service = name.partition("-")[0]
        self._module = f"services.{service}"
        own, port = f"MILLRACE_{service.upper()}", str(self.port)
        # The api answers about its health where it answers everything.
        ports = {"PORT": port, "HEALTH_PORT": "0", "HOST": LOOPBACK} if service == "api" else {"HEALTH_PORT": port}
        places = {"HEALTH_HOST": LOOPBACK, **ports}
        self._variables = {**settings, **{f"{own}_{kind}": value for kind, value in places.items()}}

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def argv(self) -> list[str]:
        variables = {**self._variables, **self.version.settings, **watch.inherited()}
        given = (f"{name}={value}" for name, value in variables.items())
        return ["/usr/bin/env", *given, *self.version.argv(self._module)]

    def ready(self) -> bool:
        return http_ok(self.port, "/health/ready")

    def go_over(self, version: Version) -> None:
        """Stop as by an orchestrator, and start as another version."""
        self.stop()
        self.version = version
        self.start()

    def bootstrap(self, name: str) -> dict[str, str]:
        """An organization with a user and a token, made by the admin command of the service's version; only of the api."""
        request = {"org_name": name, "username": name, "password": PASSWORD, "token": secrets.token_hex(32)}
        done = subprocess.run(
            self.version.argv("services.api.admin", "bootstrap"),
            input=json.dumps(request),
            env={**os.environ, **self._variables, **self.version.settings},
            capture_output=True,
            text=True,
            check=True,
        )
        org = json.loads(done.stdout.splitlines()[-1])["org_id"]
        return {"API_URL": self.url, "ORG_ID": org, "API_TOKEN": request["token"]}

    def complaints(self) -> list[str]:
        """What it has logged as an error, over all its starts, but for jobs whose sources are wrong."""
        path = self.folder / "server.log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        errors = [line for line in lines if '"level": "error"' in line and '"event": "job failed"' not in line]
        return errors + [line for line in lines if line.startswith("Traceback")]


@dataclass
class Site:
    """All that a rolling update needs. ``env`` is that of the organization's client."""

    services: dict[str, RolledService]
    env: dict[str, str]
    client: Client
    source: SourceServer
    receiver: WebhookReceiver
    workspace: Path


@asynccontextmanager
async def site(version: Version, folder: Path, workers: Sequence[str] = WORKERS) -> AsyncIterator[Site]:
    """Servers, and all services as one version.

    Args:
        folder: for the work space.
        workers: by name, with a number where there are several of a service.
    """
    workspace = folder / "workspace"
    workspace.mkdir(parents=True)
    async with AsyncExitStack() as exits:
        nats = await exits.enter_async_context(nats_server())
        postgres = await exits.enter_async_context(postgres_server())
        s3 = await exits.enter_async_context(s3_server())
        receiver = await exits.enter_async_context(WebhookReceiver())
        source = await exits.enter_async_context(source_server())
        settings = {
            "MILLRACE_NATS_URL": nats.url,
            "MILLRACE_API_DATABASE_URL": postgres.new_database(),
            "MILLRACE_WORKSPACE_URL": workspace.as_uri(),
            "MILLRACE_SEAL_KEYS": SEAL_KEY,
            "MILLRACE_LEASE_SECONDS": str(_LEASE_SECONDS),
        }
        services = {name: RolledService(name, version, settings) for name in ("api", *workers)}
        # The api provisions the bus, which the others wait for.
        await asyncio.gather(*(exits.enter_async_context(service) for service in services.values()))
        client = await nats.connect()
        exits.push_async_callback(client.close)
        env = await asyncio.to_thread(services["api"].bootstrap, "rolling")
        env |= {
            "S3_ENDPOINT": s3.endpoint,
            "S3_ACCESS_KEY": s3.access_key,
            "S3_SECRET_KEY": s3.secret_key,
            "S3_REGION": REGION,
            "S3_BUCKET": await asyncio.to_thread(s3.new_bucket),
        }
        yield Site(services, env, client, source, receiver, workspace)

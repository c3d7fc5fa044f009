"""What is looked at on NATS and PostgreSQL, with the settings of the api."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import nats
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from services.api.database.migrate import migrations
from services.api.settings import ApiSettings
from shared.bus.permissions import inbox_prefix
from shared.bus.servers import parse_servers
from shared.bus.topology import JOBS
from shared.settings import SettingsError
from stack.doctor.finding import Finding, failed, ok, warning

_SECONDS = 5.0
# Signatures of S3 and of webhooks count as forged when they are five minutes old.
SKEWED, SPLIT = 5.0, 240.0


def read_settings(environment: dict[str, str]) -> ApiSettings | Finding:
    """The api's settings, or what is wrong with them."""
    try:
        return ApiSettings.from_environment(environment)
    except SettingsError as error:
        return failed("settings", str(error).replace("\n", "; "), "docs/configuration.md lists all settings.")


async def look_at_servers(settings: ApiSettings) -> AsyncIterator[Finding]:
    """Bus, database and their clocks."""
    yield await _bus(settings)
    async for finding in _database(settings):
        yield finding


async def _bus(settings: ApiSettings) -> Finding:
    servers = parse_servers(settings.nats_url.get_secret_value())
    where = ", ".join(servers.urls)

    said: list[str] = []

    async def note(error: Exception) -> None:
        said.append(str(error))

    try:
        async with asyncio.timeout(2 * _SECONDS):
            client = await nats.connect(
                list(servers.urls),
                user=servers.user,
                password=servers.password,
                token=servers.token,
                inbox_prefix=inbox_prefix(servers.user),
                connect_timeout=round(_SECONDS),
                # 0 would be as often as it takes.
                max_reconnect_attempts=1,
                reconnect_time_wait=0.1,
                error_cb=note,
                **settings.nats_tls.options(),
            )
            try:
                begun = time.monotonic()
                stream = await client.jetstream(timeout=_SECONDS).stream_info(JOBS)
                seconds = time.monotonic() - begun
            finally:
                await client.close()
    except NotFoundError:
        return warning("bus", f"{where} answers, and has no stream {JOBS} yet", "Start the api, which makes it.")
    except (NatsError, OSError, TimeoutError) as error:
        # What happened at first says more than that there are no servers left.
        reason = said[0] if said else str(error) or "no answer"
        return failed(
            "bus", f"{where}: {reason}", "Start NATS, or set MILLRACE_NATS_URL with user and password of the api."
        )
    state = stream.state
    return ok("bus", f"{where} answers in {seconds * 1000:.0f} ms; {state.messages} events, {state.bytes / 1e6:.1f} MB")


async def _database(settings: ApiSettings) -> AsyncIterator[Finding]:
    start = "Start PostgreSQL, or set MILLRACE_API_DATABASE_URL."
    try:
        async with asyncio.timeout(2 * _SECONDS):
            connection = await asyncpg.connect(settings.database_url.get_secret_value(), timeout=_SECONDS)
            try:
                version, now = await connection.fetchrow("select version(), clock_timestamp()")  # type: ignore[misc]
                offset = (now - datetime.now(UTC)).total_seconds()
                known = await connection.fetchval("select to_regclass('schema_migrations')")
                done = await connection.fetchval("select max(number) from schema_migrations") if known else 0
            finally:
                await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        yield failed("database", str(error) or "no answer", start)
        return
    wanted = len(migrations())
    what = " ".join(str(version).split()[:2])
    if (done or 0) < wanted:
        yield warning(
            "database", f"{what}, migration {done or 0} of {wanted}", "Start the api, which applies the others."
        )
    else:
        yield ok("database", f"{what}, migration {done}")
    yield clock("the database", offset)


def clock(whose: str, offset: float) -> Finding:
    """Whether this machine's clock and another's agree; ``offset``: seconds that the other is ahead."""
    if abs(offset) < SKEWED:
        return ok("clock", f"agrees with that of {whose}")
    found = f"{abs(offset):.0f} s {'behind' if offset > 0 else 'ahead of'} that of {whose}"
    remedy = "Have all machines set their clocks by NTP: timedatectl set-ntp true"
    return failed("clock", found, remedy) if abs(offset) > SPLIT else warning("clock", found, remedy)

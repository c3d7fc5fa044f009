"""The life of an api process: listen, wait for the database and the bus, serve, and stop with grace."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import structlog
from aiohttp import web
from nats.aio.client import Client

from services.api import metrics
from services.api.accounts.accounts import Accounts
from services.api.accounts.browser_sessions import BrowserSessions
from services.api.accounts.login_guard import LoginGuard
from services.api.accounts.members import Members
from services.api.accounts.organizations import Storages
from services.api.accounts.passwords import Passwords
from services.api.accounts.request_rate import AddressRate, RequestRate
from services.api.accounts.sessions import Sessions
from services.api.accounts.storage_origins import StorageOrigins
from services.api.accounts.tokens import Tokens
from services.api.app import make_app
from services.api.contract.key_addresses import KeyAddresses
from services.api.contract.peers import parse_codes, parse_networks
from services.api.database.migrate import migrate_when_there
from services.api.database.pool import Database, DatabaseDown, close_pool, open_pool
from services.api.drm.contents import Contents
from services.api.drm.demand import KeysOnDemand
from services.api.drm.encryption import Encryptions
from services.api.drm.providers import KeyProviders
from services.api.drm.signing_keys import SigningKeys
from services.api.family import FamilyHealth
from services.api.feed.callout import Callout
from services.api.feed.connections import BusConnections
from services.api.feed.replay import Replays
from services.api.feed.signing import Issuer
from services.api.feed.users import BusUsers
from services.api.http.authorized import Runtime, Services
from services.api.http.connections import ConnectionLimits, GuardedSite, allow_files
from services.api.intake.intake import Intake
from services.api.intake.quotas import JobQuotas
from services.api.intake.reservations import Reservations
from services.api.jobs.event_stream import EventStream
from services.api.jobs.jobs import Jobs
from services.api.jobs.live import LiveProgress
from services.api.jobs.usages import Usages
from services.api.operator.desk import Desk
from services.api.operator.replay import Replay
from services.api.playback.playback import Player
from services.api.processes import Member
from services.api.projection.leader import Leader
from services.api.projection.overview import Overview
from services.api.projection.vault_sweep import VaultSweep
from services.api.settings import ApiSettings
from services.api.uploads.sweep import UploadSweep
from services.api.uploads.uploads import UploadRules, Uploads
from services.api.uploads.uses import UploadUses
from services.api.webhooks.deliveries import Deliveries
from services.api.webhooks.hooks import HookBook
from services.api.webhooks.webhooks import Webhooks
from shared.bus.beginnings import Beginnings
from shared.bus.connection import connect
from shared.bus.joblog import JobLog
from shared.bus.patience import until_done
from shared.bus.topology import DAY, Ages, provision
from shared.bus.vault import Vault
from shared.bus.write_check import WriteCheck
from shared.garbage import settle
from shared.health import Check, Health, still_starting
from shared.lifeline import Lifeline
from shared.logs import configure_logs
from shared.metrics import SERVICE, watch_event_loop
from shared.s3_clients import S3Clients
from shared.tasks import end_tasks
from shared.tracing.recorder import traces

_HOUR = 3600.0
# After which an upload goes that no job has used, where those of jobs are kept for ever.
_UNUSED_DAYS = 7


async def serve(settings: ApiSettings, member: Member | None = None) -> None:
    """Run until SIGTERM or SIGINT. ``member``: which one of several processes this is."""
    configure_logs(settings.service, settings.log_level)
    log = structlog.get_logger()
    lifeline = Lifeline()
    lifeline.listen()
    SERVICE.labels(settings.service).set(1)
    metrics.begin()
    checks: dict[str, Check] = {"start": still_starting}
    health, runtime = FamilyHealth(checks, member) if member else Health(checks), Runtime()
    # While the others answer, a process that takes a place among them listens when it can answer too.
    late = member is not None and not member.first
    async with traces(settings), AsyncExitStack() as stack:
        if not late:
            await _tell_health(settings, health, stack)
        # A thread, because the OpenAPI document takes a while, and the probes of health are being answered.
        app = await asyncio.to_thread(make_app, settings, runtime, health)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=settings.grace_seconds)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        if not late:
            await _listen(settings, runner, shared=member is not None)
        if await lifeline.unless_over(asyncio.create_task(_start(settings, runtime, checks, stack, lifeline))):
            if late:
                await _tell_health(settings, health, stack)
                await _listen(settings, runner, shared=True)
            await asyncio.to_thread(settle)
            if member:
                member.started()
                await log.ainfo("ready", port=settings.port, process=member.number, replaces_another=late)
            else:
                await log.ainfo("ready", port=settings.port)
            await lifeline.until_over()
        await log.ainfo("stopping")
        health.stopping = True
        if runtime.services:
            await runtime.services.stream.stop()
        # Requests under way are answered before what they need is closed.
        await runner.cleanup()
    await log.ainfo("stopped")
    if lifeline.exit_status():
        raise SystemExit(lifeline.exit_status())


async def _tell_health(settings: ApiSettings, health: Health, stack: AsyncExitStack) -> None:
    stack.push_async_callback(health.stop)
    if isinstance(health, FamilyHealth):
        await health.tell_others()
    if settings.health_port not in (0, settings.port):
        shared = isinstance(health, FamilyHealth)
        await health.start(settings.health_host, settings.health_port, reuse_port=shared)


async def _listen(settings: ApiSettings, runner: web.AppRunner, *, shared: bool) -> None:
    """Listen for requests. ``shared``: other processes of this api do, too."""
    limits = ConnectionLimits(
        settings.max_connections,
        settings.max_connections_per_address,
        settings.head_seconds,
        proxies=parse_networks(settings.trusted_proxies or ""),
    )
    allow_files(limits.most)
    await GuardedSite(runner, settings.host, settings.port, limits, reuse_port=shared).start()


async def _start(
    settings: ApiSettings, runtime: Runtime, checks: dict[str, Check], stack: AsyncExitStack, lifeline: Lifeline
) -> bool:
    pool = await open_pool(settings.database_url, settings.database_connections)
    stack.push_async_callback(close_pool, pool)
    await migrate_when_there(pool)
    # Without a buffer: what cannot be sent now is an error now, and is not sent behind anyone's back later.
    client = await connect(
        settings.nats_url, settings.service, tls=settings.nats_tls, pending_size=0, on_end=lifeline.cut
    )
    stack.push_async_callback(client.close)
    await _provision(settings, client)

    sealer = settings.sealer
    database, job_log, vault = Database(pool), JobLog(client), Vault(client, sealer)
    live = LiveProgress(client)
    stream = EventStream(database, client, live)
    book = HookBook(database, client, sealer)
    quotas = JobQuotas(
        settings.max_unfinished_jobs,
        settings.max_jobs_per_hour,
        settings.max_source_minutes_per_day,
        settings.max_source_gigabytes_per_day,
    )
    reservations = Reservations(database, job_log, vault, quotas)
    leader = Leader(
        settings.database_url.get_secret_value(),
        client,
        job_log,
        max_active_jobs=settings.max_active_jobs,
        max_active_per_organization=settings.max_active_per_organization,
        on_hooks_changed=book.publish_anew,
        keep_jobs=timedelta(days=settings.keep_jobs_days) if settings.keep_jobs_days else None,
        waits=live.waits,
    )
    metrics.LEADER.set_function(lambda: leader.leads)
    overview = Overview(
        client,
        database,
        held_up=live.waits.by_code,
        places=settings.max_active_jobs,
        leads=lambda: leader.leads,
    )
    guard = LoginGuard(settings.login_failures_per_minute, settings.login_failures_per_address)
    accounts = Accounts(
        database, Passwords(), guard, days=settings.token_days, most_tokens=settings.tokens_per_organization
    )
    addresses = KeyAddresses(settings.public_url, parse_codes(settings.clear_key_organizations or ""))
    contents = Contents(database, sealer)
    encryptions = Encryptions(database, sealer, addresses, settings.provider_rules)
    storages, policy = Storages(database, sealer), settings.address_policy
    s3_clients = S3Clients(policy)
    stack.push_async_callback(s3_clients.close)
    uses = UploadUses(database, keep_days=settings.keep_uploads_days)
    intake = Intake(database, job_log, Beginnings(client), vault, storages, reservations, encryptions, uses)
    jobs = Jobs(database, job_log, live)

    await until_done(live.start, "live progress")
    stack.push_async_callback(live.stop)
    await until_done(stream.start, "event streams")
    await until_done(book.publish_all, "webhooks", DatabaseDown)
    bus_users = await _offer_feed(settings, client, database, stack, lifeline)
    sessions = Sessions(database)
    browser_sessions = BrowserSessions(
        database,
        idle=timedelta(hours=settings.session_idle_hours),
        life=timedelta(days=settings.session_days),
    )
    for work, name in (
        (leader.run(), "leader"),
        (overview.run(), "overview"),
        (watch_event_loop(), "event loop"),
        (UploadSweep(database, storages, clients=s3_clients, ready=lambda: leader.leads).run(), "uploads"),
        (VaultSweep(client, job_log, vault, ready=lambda: leader.leads).run(), "vault"),
        (
            _keep_house(
                reservations.forget_expired,
                accounts.forget_expired,
                browser_sessions.forget_expired,
                book.forget_previous,
            ),
            "housekeeping",
        ),
        (sessions.run(), "sessions"),
    ):
        _in_background(stack, lifeline.keep(work, name))
    runtime.services = Services(
        accounts,
        storages,
        StorageOrigins(storages, policy=policy),
        RequestRate(settings.max_requests_per_minute),
        Tokens(database, days=settings.token_days, most=settings.tokens_per_organization),
        sessions,
        browser_sessions,
        Members(database),
        intake,
        jobs,
        Webhooks(database, book, overlap=settings.webhook_overlap_seconds),
        Deliveries(database, client, job_log),
        stream,
        contents,
        KeysOnDemand(contents, KeyProviders(database, sealer)),
        SigningKeys(database, sealer),
        AddressRate(settings.key_requests_per_minute),
        Usages(database),
        Desk(
            client,
            database,
            Replay(client, job_log, database, jobs, intake, settings.address_policy),
            places=settings.max_active_jobs,
        ),
        Uploads(database, storages, _upload_rules(settings), s3_clients, policy=policy),
        Player(jobs, storages, contents, addresses, s3_clients, policy=policy),
        AddressRate(settings.playback_requests_per_minute),
        bus_users,
    )
    del checks["start"]
    checks |= {"postgres": database.check, "nats": WriteCheck(client, settings.service), "leader": leader.check}
    return True


def _upload_rules(settings: ApiSettings) -> UploadRules:
    return UploadRules(
        most_bytes=settings.max_upload_gigabytes * 10**9,
        most_open=settings.max_open_uploads,
        address_seconds=settings.upload_address_seconds,
        unused_days=settings.keep_uploads_days or _UNUSED_DAYS,
    )


async def _offer_feed(
    settings: ApiSettings, client: Client, database: Database, stack: AsyncExitStack, lifeline: Lifeline
) -> BusUsers | None:
    if not settings.bus_issuer_seed or not settings.bus_system_url:
        return None
    connections = BusConnections(
        settings.bus_system_url, tls=settings.nats_tls, most=settings.bus_connections_per_user, on_end=lifeline.cut
    )
    users = BusUsers(database, most=settings.bus_users_per_organization, on_change=connections.look)
    callout = Callout(client, Issuer(settings.bus_issuer_seed), users, connections)
    replays = Replays(client, on_flood=connections.bar)
    for answering, name in ((callout, "bus users"), (replays, "replays")):
        await until_done(answering.start, name)
        stack.push_async_callback(answering.stop)
    _in_background(stack, lifeline.keep(connections.run(users), "bus connections"))
    return users


async def _provision(settings: ApiSettings, client: Client) -> None:
    async def provide() -> None:
        await provision(
            client.jetstream(),
            lease_seconds=settings.lease_seconds,
            replicas=settings.nats_replicas,
            ages=Ages(deliveries=settings.keep_deliveries_days * DAY, dead=settings.keep_dead_letters_days * DAY),
        )

    await until_done(provide, "bus")


def _in_background(stack: AsyncExitStack, task: "asyncio.Task[None]") -> None:
    stack.push_async_callback(end_tasks, task)


async def _keep_house(*chores: Callable[[], Awaitable[None]]) -> None:
    while True:
        for chore in chores:
            try:
                await chore()
            except Exception as error:
                await structlog.get_logger().awarning("expired rows not deleted", error=repr(error))
        await asyncio.sleep(_HOUR)

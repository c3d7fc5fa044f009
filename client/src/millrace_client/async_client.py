"""The client for asynchronous programs: that of :mod:`millrace_client.client` with ``await`` and ``async for``."""

from typing import Self

import httpx

from millrace_client import (
    bus_users,
    changes,
    follow,
    jobs,
    keys,
    members,
    server,
    storage,
    tokens,
    uploads,
    usage,
    webhooks,
)
from millrace_client.asynchronous import AsyncTransport
from millrace_client.backoff import Retries
from millrace_client.core import Core
from millrace_client.methods import AsyncCall, AsyncItems
from millrace_client.settings import Settings


class _Part:
    """Some of a client's methods."""

    def __init__(self, core: Core, transport: AsyncTransport) -> None:
        self.core = core
        self.transport = transport


class AsyncJobs(_Part):
    """Transcoding jobs."""

    create = AsyncCall(jobs.create)
    get = AsyncCall(jobs.get)
    page = AsyncCall(jobs.page)
    counts = AsyncCall(jobs.counts)
    timeline = AsyncCall(jobs.timeline)
    timeline_page = AsyncCall(jobs.timeline_page)
    cancel = AsyncCall(jobs.cancel)
    retry = AsyncCall(jobs.retry)
    playback = AsyncCall(jobs.playback)
    wait = AsyncCall(follow.wait)
    follow = AsyncItems(follow.follow)
    changes = AsyncItems(changes.changes)
    list = AsyncItems(jobs.list_all)


class AsyncWebhooks(_Part):
    """Addresses that are told of every change of a job's status."""

    create = AsyncCall(webhooks.create)
    get = AsyncCall(webhooks.get)
    replace = AsyncCall(webhooks.replace)
    delete = AsyncCall(webhooks.delete)
    delivery = AsyncCall(webhooks.delivery)
    redeliver = AsyncCall(webhooks.redeliver)
    rotate = AsyncCall(webhooks.rotate)
    test = AsyncCall(webhooks.test)
    deliveries = AsyncItems(webhooks.deliveries)
    list = AsyncItems(webhooks.list_all)


class AsyncTokens(_Part):
    """The organization's live tokens."""

    create = AsyncCall(tokens.create)
    get = AsyncCall(tokens.get)
    rename = AsyncCall(tokens.rename)
    revoke = AsyncCall(tokens.revoke)
    list = AsyncItems(tokens.list_all)


class AsyncMembers(_Part):
    """Who is in the organization, in which role."""

    add = AsyncCall(members.add)
    get = AsyncCall(members.get)
    change = AsyncCall(members.change)
    remove = AsyncCall(members.remove)
    list = AsyncItems(members.list_all)


class AsyncBusUsers(_Part):
    """Users of NATS that follow the organization's jobs."""

    create = AsyncCall(bus_users.create)
    get = AsyncCall(bus_users.get)
    rotate = AsyncCall(bus_users.rotate)
    revoke = AsyncCall(bus_users.revoke)
    list = AsyncItems(bus_users.list_all)


class AsyncUploads(_Part):
    """Files in the organization's storage, for jobs to take."""

    upload = AsyncCall(uploads.upload)
    begin = AsyncCall(uploads.begin)
    complete = AsyncCall(uploads.complete)
    get = AsyncCall(uploads.get)
    give_up = AsyncCall(uploads.give_up)
    list = AsyncItems(uploads.list_all)


class AsyncKeys(_Part):
    """Content keys of the server's own store."""

    get = AsyncCall(keys.get)
    sign_address = AsyncCall(keys.sign_address)
    list = AsyncItems(keys.list_all)


class AsyncStorage(_Part):
    """The storage whose credentials stand in where a job has none."""

    get = AsyncCall(storage.get)
    replace = AsyncCall(storage.replace)
    test = AsyncCall(storage.test)


class AsyncServer(_Part):
    """What operators see and do, for all organizations."""

    workers = AsyncItems(server.workers)
    drain = AsyncCall(server.drain)
    queues = AsyncItems(server.queues)
    dead_letters = AsyncItems(server.dead_letters)
    dead_letter = AsyncCall(server.dead_letter)
    requeue = AsyncCall(server.requeue)
    drop = AsyncCall(server.drop)


class AsyncMillrace:
    """The API of one organization, for use in one event loop.

    Args:
        api_url: of the server; MILLRACE_API_URL if left out.
        org: code of the organization; MILLRACE_ORG if left out.
        token: MILLRACE_TOKEN if left out; none is needed to log in.
        retries: how often and how fast requests are tried again.
        http: a client of httpx with settings of its own, such as a proxy. It stays open.

    Raises:
        SettingsError: something is missing or malformed.
    """

    login = AsyncCall(tokens.login)
    logout = AsyncCall(tokens.logout)
    usage = AsyncCall(usage.usage)
    organization = AsyncCall(members.organization)
    change_password = AsyncCall(members.change_password)

    def __init__(
        self,
        api_url: str | None = None,
        org: str | None = None,
        token: str | None = None,
        *,
        retries: Retries | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self.core = Core(Settings.resolve(api_url, org, token), retries or Retries())
        self.transport = AsyncTransport(http)
        self.jobs = AsyncJobs(self.core, self.transport)
        self.webhooks = AsyncWebhooks(self.core, self.transport)
        self.tokens = AsyncTokens(self.core, self.transport)
        self.members = AsyncMembers(self.core, self.transport)
        self.bus_users = AsyncBusUsers(self.core, self.transport)
        self.storage = AsyncStorage(self.core, self.transport)
        self.uploads = AsyncUploads(self.core, self.transport)
        self.keys = AsyncKeys(self.core, self.transport)
        self.server = AsyncServer(self.core, self.transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self.transport.close()

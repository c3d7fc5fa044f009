"""The client for blocking programs."""

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
from millrace_client.backoff import Retries
from millrace_client.blocking import BlockingTransport
from millrace_client.core import Core
from millrace_client.methods import Call, Items
from millrace_client.settings import Settings


class _Part:
    """Some of a client's methods."""

    def __init__(self, core: Core, transport: BlockingTransport) -> None:
        self.core = core
        self.transport = transport


class Jobs(_Part):
    """Transcoding jobs."""

    create = Call(jobs.create)
    get = Call(jobs.get)
    page = Call(jobs.page)
    counts = Call(jobs.counts)
    timeline = Call(jobs.timeline)
    timeline_page = Call(jobs.timeline_page)
    cancel = Call(jobs.cancel)
    retry = Call(jobs.retry)
    playback = Call(jobs.playback)
    wait = Call(follow.wait)
    follow = Items(follow.follow)
    changes = Items(changes.changes)
    list = Items(jobs.list_all)


class Webhooks(_Part):
    """Addresses that are told of every change of a job's status."""

    create = Call(webhooks.create)
    get = Call(webhooks.get)
    replace = Call(webhooks.replace)
    delete = Call(webhooks.delete)
    delivery = Call(webhooks.delivery)
    redeliver = Call(webhooks.redeliver)
    rotate = Call(webhooks.rotate)
    test = Call(webhooks.test)
    deliveries = Items(webhooks.deliveries)
    list = Items(webhooks.list_all)


class Tokens(_Part):
    """The organization's live tokens."""

    create = Call(tokens.create)
    get = Call(tokens.get)
    rename = Call(tokens.rename)
    revoke = Call(tokens.revoke)
    list = Items(tokens.list_all)


class Members(_Part):
    """Who is in the organization, in which role."""

    add = Call(members.add)
    get = Call(members.get)
    change = Call(members.change)
    remove = Call(members.remove)
    list = Items(members.list_all)


class BusUsers(_Part):
    """Users of NATS that follow the organization's jobs."""

    create = Call(bus_users.create)
    get = Call(bus_users.get)
    rotate = Call(bus_users.rotate)
    revoke = Call(bus_users.revoke)
    list = Items(bus_users.list_all)


class Uploads(_Part):
    """Files in the organization's storage, for jobs to take."""

    upload = Call(uploads.upload)
    begin = Call(uploads.begin)
    complete = Call(uploads.complete)
    get = Call(uploads.get)
    give_up = Call(uploads.give_up)
    list = Items(uploads.list_all)


class Keys(_Part):
    """Content keys of the server's own store."""

    get = Call(keys.get)
    sign_address = Call(keys.sign_address)
    list = Items(keys.list_all)


class Storage(_Part):
    """The storage whose credentials stand in where a job has none."""

    get = Call(storage.get)
    replace = Call(storage.replace)
    test = Call(storage.test)


class Server(_Part):
    """What operators see and do, for all organizations."""

    workers = Items(server.workers)
    drain = Call(server.drain)
    queues = Items(server.queues)
    dead_letters = Items(server.dead_letters)
    dead_letter = Call(server.dead_letter)
    requeue = Call(server.requeue)
    drop = Call(server.drop)


class Millrace:
    """The API of one organization. Threads may share it.

    Args:
        api_url: of the server; MILLRACE_API_URL if left out.
        org: code of the organization; MILLRACE_ORG if left out.
        token: MILLRACE_TOKEN if left out; none is needed to log in.
        retries: how often and how fast requests are tried again.
        http: a client of httpx with settings of its own, such as a proxy. It stays open.

    Raises:
        SettingsError: something is missing or malformed.
    """

    login = Call(tokens.login)
    logout = Call(tokens.logout)
    usage = Call(usage.usage)
    organization = Call(members.organization)
    change_password = Call(members.change_password)

    def __init__(
        self,
        api_url: str | None = None,
        org: str | None = None,
        token: str | None = None,
        *,
        retries: Retries | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self.core = Core(Settings.resolve(api_url, org, token), retries or Retries())
        self.transport = BlockingTransport(http)
        self.jobs = Jobs(self.core, self.transport)
        self.webhooks = Webhooks(self.core, self.transport)
        self.tokens = Tokens(self.core, self.transport)
        self.members = Members(self.core, self.transport)
        self.bus_users = BusUsers(self.core, self.transport)
        self.storage = Storage(self.core, self.transport)
        self.uploads = Uploads(self.core, self.transport)
        self.keys = Keys(self.core, self.transport)
        self.server = Server(self.core, self.transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.transport.close()

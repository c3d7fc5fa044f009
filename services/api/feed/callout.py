"""NATS asks who somebody is that is not in its configuration: a bus user, or nobody."""

import asyncio
from typing import Any

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from services.api.database.pool import DatabaseDown
from services.api.feed.connections import BusConnections
from services.api.feed.signing import Issuer, claims_of
from services.api.feed.users import BusUsers
from shared.bus.permissions import CALLOUT_SUBJECT, bus_user_permissions
from shared.logs import Repetition
from shared.tasks import end_tasks

# Whoever asks in vain asks again: what is more than this is left to the server's own time limit.
_MOST_WAITING = 200
# So that a flood of logins takes no more than this of the connections to the database.
_MOST_CHECKED = 2
# By then the server has refused by itself, which is its default.
_LOGIN_SECONDS = 2.0
_QUEUE = "callout"


class Callout:
    """Answers the server; of several processes, one answers each question."""

    def __init__(self, client: Client, issuer: Issuer, users: BusUsers, connections: BusConnections) -> None:
        self._nc = client
        self._issuer = issuer
        self._users = users
        self._connections = connections
        self._turns = asyncio.Semaphore(_MOST_CHECKED)
        self._answering: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None
        self._repetition = Repetition(60)

    async def start(self) -> None:
        """Begin to answer. May be repeated after a failure."""
        if self._subscription is None:
            self._subscription = await self._nc.subscribe(CALLOUT_SUBJECT, queue=_QUEUE, cb=self._asked)

    async def stop(self) -> None:
        """Answer no more."""
        await end_tasks(*self._answering)

    async def _asked(self, message: Msg) -> None:
        if len(self._answering) < _MOST_WAITING:
            task = asyncio.create_task(self._answer(message))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _answer(self, message: Msg) -> None:
        try:
            request = claims_of(message.data)
            async with asyncio.timeout(_LOGIN_SECONDS), self._turns:
                await message.respond(await self._judge(request))
        except (NatsError, TimeoutError, ValueError, KeyError, TypeError) as error:
            if self._repetition.is_due():
                await structlog.get_logger().awarning("a login to the bus was not answered", error=repr(error))

    async def _judge(self, request: dict[str, Any]) -> bytes:
        options = request["nats"]["connect_opts"]
        username, password = str(options.get("user", "")), str(options.get("pass", ""))
        try:
            org = await self._users.organization_of(username, password)
        except DatabaseDown:
            return self._issuer.refusal(request, "the database is out of reach")
        if org is None:
            return self._issuer.refusal(request, "no such user, or not his password")
        if reason := self._connections.refusal_of(org, username):
            return self._issuer.refusal(request, reason)
        return self._issuer.admission(request, username, bus_user_permissions(org, username))

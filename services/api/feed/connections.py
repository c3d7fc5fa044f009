"""The connections of bus users: how many there are, and the end of those that may not go on.

NATS asks about a user once, when it connects. So every few seconds the servers are asked who is connected; who was revoked
meanwhile, has a new password, or has more connections than he may have, is disconnected. Each replica does so: a revocation
holds whichever of them dies.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from pydantic import SecretStr

from services.api.database.pool import DatabaseDown
from services.api.feed.users import BusUsers
from shared.bus.connection import connect
from shared.bus.guard import OnEnd
from shared.bus.permissions import ASK_ALL_CONNECTIONS, SYSTEM
from shared.bus.tls import Tls
from shared.logs import Repetition

ROUND_SECONDS = 5.0
BARRED_SECONDS = 60.0
MOST_SUBSCRIPTIONS = 100
"""Of one connection. The limits in a signed user are not kept by NATS for those that it asks about."""
PAGE = 1000
"""Connections in one answer of a server."""
_ANSWER_SECONDS = 2.0
# After the first one, the others of a cluster answer about as fast.
_FURTHER_ANSWER_SECONDS = 0.5
_BUS_USER = re.compile(r"([a-z0-9]{6})-[a-z0-9]{10}")


@dataclass(frozen=True)
class Held:
    """A connection of a bus user. ``number`` counts the connections of one server."""

    server: str
    number: int
    username: str
    start: datetime
    subscriptions: int


class BusConnections:
    """Looks after the connections of bus users.

    Args:
        url: the servers, with the user of the system account.
        most: connections that a bus user may have at the same time.
    """

    def __init__(self, url: SecretStr, *, tls: Tls, most: int, on_end: OnEnd | None = None) -> None:
        self._url = url
        self._tls = tls
        self._most = most
        self._on_end = on_end
        self._changed = asyncio.Event()
        self._counts: Counter[str] = Counter()
        self._barred: dict[str, float] = {}

    def look(self) -> None:
        """Look at once: somebody may no longer be connected."""
        self._changed.set()

    def bar(self, org: str) -> None:
        """Disconnect the users of an organization, and let none in for a minute."""
        if not self._is_barred(org):
            structlog.get_logger().warning("bus users disconnected for too many requests", organization=org)
            self._barred[org] = monotonic() + BARRED_SECONDS
            self.look()

    def refusal_of(self, org: str, username: str) -> str | None:
        """Why a user who wants to connect is kept out, None if he is not; he then counts as connected."""
        if self._is_barred(org):
            return "too many requests"
        if self._counts[username] >= self._most:
            # Some may have ended since they were counted.
            self.look()
            return f"{self._most} connections at the same time are enough"
        self._counts[username] += 1
        return None

    async def run(self, users: BusUsers) -> None:
        """Look after them until cancelled, whatever happens."""
        client = await connect(self._url, SYSTEM, tls=self._tls, on_end=self._on_end)
        repetition = Repetition(60)
        try:
            while True:
                self._changed.clear()
                try:
                    await self._sweep(client, users)
                except (NatsError, TimeoutError, DatabaseDown, ValueError, KeyError) as error:
                    if repetition.is_due():
                        await structlog.get_logger().awarning("bus connections not looked at", error=repr(error))
                try:
                    async with asyncio.timeout(ROUND_SECONDS):
                        await self._changed.wait()
                except TimeoutError:
                    continue
        finally:
            await client.close()

    async def _sweep(self, client: Client, users: BusUsers) -> None:
        held = await connections_of_bus_users(client)
        known = await users.rotated({each.username for each in held}) if held else {}
        by_user: Counter[str] = Counter()
        for each in sorted(held, key=lambda each: each.start):
            rotated = known.get(each.username)
            reason = ""
            if rotated is None or each.start < rotated:
                reason = "revoked"
            elif self._is_barred(each.username.partition("-")[0]):
                reason = "too many requests"
            elif by_user[each.username] >= self._most:
                reason = "too many connections"
            elif each.subscriptions > MOST_SUBSCRIPTIONS:
                reason = "too many subscriptions"
            if reason:
                await _ask(client, each.server, "KICK", {"cid": each.number})
                await structlog.get_logger().ainfo("bus connection ended", user=each.username, reason=reason)
            else:
                by_user[each.username] += 1
        self._counts = by_user

    def _is_barred(self, org: str) -> bool:
        until = self._barred.get(org, 0.0)
        if until <= monotonic():
            self._barred.pop(org, None)
            return False
        return True


async def connections_of_bus_users(client: Client) -> list[Held]:
    """Those of all bus users, on all servers that answer."""
    found: list[Held] = []
    for answer in await _ask_all(client):
        found += _held(answer)
        server, seen, total = _place(answer)
        while seen < total:
            page = await _ask(client, server, "CONNZ", {"auth": True, "limit": PAGE, "offset": seen})
            found += _held(page)
            if not page["data"]["num_connections"]:
                break
            seen += page["data"]["num_connections"]
            # What comes at once would hold up the event loop.
            await asyncio.sleep(0)
    return found


async def _ask_all(client: Client) -> Sequence[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    try:
        await client.publish(ASK_ALL_CONNECTIONS, json.dumps({"auth": True, "limit": PAGE}).encode(), reply=inbox)
        while True:
            message = await subscription.next_msg(_FURTHER_ANSWER_SECONDS if answers else _ANSWER_SECONDS)
            answers.append(json.loads(message.data))
    except TimeoutError:
        if not answers:
            raise
    finally:
        await subscription.unsubscribe()
    return answers


async def _ask(client: Client, server: str, verb: str, content: dict[str, Any]) -> dict[str, Any]:
    subject = f"$SYS.REQ.SERVER.{server}.{verb}"
    answer = await client.request(subject, json.dumps(content).encode(), timeout=_ANSWER_SECONDS)
    found: dict[str, Any] = json.loads(answer.data)
    return found


def _place(answer: dict[str, Any]) -> tuple[str, int, int]:
    return answer["server"]["id"], answer["data"]["num_connections"], answer["data"]["total"]


def _held(answer: dict[str, Any]) -> list[Held]:
    return [
        # Python's clocks have microseconds, the server's nanoseconds.
        Held(
            server=answer["server"]["id"],
            number=each["cid"],
            username=each["authorized_user"],
            start=_instant(each["start"]),
            subscriptions=each["subscriptions"],
        )
        for each in answer["data"].get("connections") or ()
        if _BUS_USER.fullmatch(each.get("authorized_user") or "")
    ]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))

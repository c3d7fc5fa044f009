"""NATS with the users of the embedded stack, and what its server says to somebody who does what he may not.

with guarded_bus() as bus:
    client = await bus.connect_as("fetcher")        # with "millrace" as the operator
    await refused(client, publishes=["jobs.abc123.5KQfnXCg8Qh.created"])
"""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path

import nats
from nats.aio.client import Client

from shared.bus.permissions import ACCESS, OPERATOR, inbox_prefix
from stack.bus_users import users
from tests.support.servers import NatsServer

_NOBODYS = "nobodys.subject"
_VIOLATION = re.compile(r"permissions violation for (publish|subscription) to \"([^\"]+)\"", re.IGNORECASE)


class GuardedBus(NatsServer):
    """NATS with a user for each service; everybody's password is his name."""

    def argv(self) -> list[str]:
        return [*super().argv(), "--config", str(self._configuration)]

    def start(self) -> None:
        self._configuration.write_text(self.configuration())
        super().start()

    def configuration(self) -> str:
        """What stands in its configuration."""
        return f"authorization {{\n{users({name: self.quoted(name) for name in (OPERATOR, *ACCESS)})}}}\n"

    def quoted(self, user: str) -> str:
        """A password as it stands in the configuration."""
        return f'"{user}"'

    async def connect(self) -> Client:
        return await self.connect_as(OPERATOR)

    async def connect_as(self, user: str) -> Client:
        """A new connection of a user; whoever asked closes it."""
        return await nats.connect(
            self.url, user=user, password=user, inbox_prefix=inbox_prefix(user), error_cb=_ignore, allow_reconnect=False
        )

    def url_of(self, user: str) -> str:
        """The address with a user and his password."""
        return self.url.replace("//", f"//{user}:{user}@")

    @property
    def _configuration(self) -> Path:
        return self.folder / "nats.conf"


async def violations(client: Client, *, publishes: Iterable[str] = (), subscribes: Iterable[str] = ()) -> set[str]:
    """Do all of it, and say what of it the server has refused."""
    refused: set[str] = set()
    all_heard = asyncio.Event()

    async def hear(error: Exception) -> None:
        if found := _VIOLATION.search(str(error)):
            refused.add(found[2].lower())
            if found[2].lower() == _NOBODYS:
                all_heard.set()

    client._error_cb = hear
    inbox = client.new_inbox()
    for subject in publishes:
        await client.publish(subject, b"{}", reply=inbox)
    subscriptions = [await client.subscribe(subject) for subject in subscribes]
    # The server refuses in order.
    await client.publish(_NOBODYS, b"")
    async with asyncio.timeout(30):
        await all_heard.wait()
    for subscription in subscriptions:
        await subscription.unsubscribe()
    client._error_cb = _ignore
    return refused - {_NOBODYS}


async def _ignore(_: Exception) -> None:
    await asyncio.sleep(0)

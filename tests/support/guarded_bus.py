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
from nats.errors import Error
from pydantic import SecretStr

from services.api.feed.signing import Issuer, new_seed
from shared.bus.permissions import OPERATOR, inbox_prefix
from stack.bus_users import USERS, authorization
from tests.support.observe import eventually
from tests.support.servers import NatsServer

SEED = new_seed()
"""The key that the api signs bus users with."""
ISSUER = Issuer(SecretStr(SEED))
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
        return authorization({user: self.quoted(user) for user in USERS}, ISSUER.name)

    def quoted(self, user: str) -> str:
        """A password as it stands in the configuration."""
        return f'"{user}"'

    async def connect(self) -> Client:
        return await self.connect_as(OPERATOR)

    async def connect_as(self, user: str) -> Client:
        """A new connection of a user; whoever asked closes it."""
        return await self.login(user, user, inbox_prefix(user))

    async def login(self, user: str, password: str, inbox: str) -> Client:
        """The same for any user."""
        return await nats.connect(
            self.url,
            user=user,
            password=password,
            inbox_prefix=inbox,
            error_cb=ignore,
            allow_reconnect=False,
            connect_timeout=20,
        )

    def url_of(self, user: str) -> str:
        """The address with a user and his password."""
        return self.url.replace("//", f"//{user}:{user}@")

    async def refuses(self, user: str, password: str) -> None:
        """A user is not let in.

        Raises:
            AssertionError: he is.
        """
        try:
            client = await self.login(user, password, "_INBOX")
        except Error as error:
            assert "Authorization Violation" in str(error)
            return
        # While the server waits for an answer about him, it asks whether he is there, which the client takes for a welcome.
        await eventually(lambda: client.is_closed, "he is disconnected", seconds=10)
        assert "Authorization Violation" in str(client.last_error)

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

    before, client._error_cb = client._error_cb, hear
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
    client._error_cb = before
    return refused - {_NOBODYS}


async def ignore(_: Exception) -> None:
    """Hear an error of the client, and say nothing."""
    await asyncio.sleep(0)

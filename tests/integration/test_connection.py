"""A connection outlives its server, and says so when it cannot come back."""

from pydantic import SecretStr

from shared.bus.connection import connect
from shared.lifeline import Lifeline
from tests.support.observe import eventually
from tests.support.servers import NatsServer


class GuardedServer(NatsServer):
    """NATS that wants a password."""

    password = "first"

    def argv(self) -> list[str]:
        return [*super().argv(), "--user", "millrace", "--pass", self.password]


async def test_a_server_that_comes_back_is_found_again() -> None:
    with NatsServer() as server:
        client = await connect(SecretStr(server.url), "test")
        server.kill()
        server.start()
        await eventually(lambda: client.is_connected, "connected again", seconds=20)
        await client.close()


async def test_a_server_that_refuses_the_password_for_a_while_is_found_again() -> None:
    with GuardedServer() as server:
        lifeline = Lifeline()
        client = await connect(SecretStr(server.url.replace("//", "//millrace:first@")), "test", closed_cb=lifeline.cut)
        for password in ("second", "first"):
            server.kill()
            server.password = password
            server.start()
        await eventually(
            lambda: client.is_connected or lifeline.exit_status() == 1, "back, or given up with an error", seconds=30
        )
        await client.close()

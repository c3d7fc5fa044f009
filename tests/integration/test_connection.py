"""A connection outlives its server, and its process is told where it cannot come back."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from shared.bus.connection import connect
from shared.lifeline import Lifeline
from tests.support.api import SEAL_KEY
from tests.support.bus import provisioned
from tests.support.observe import eventually
from tests.support.servers import NatsServer
from tests.support.service import Service


class GuardedServer(NatsServer):
    """NATS that wants a password, which can be changed while it runs."""

    password = "first"

    def argv(self) -> list[str]:
        return [*super().argv(), "--config", str(self._configuration)]

    def start(self) -> None:
        self._configure()
        super().start()

    async def connect(self) -> Client:
        return await connect(SecretStr(self.own_url), "test")

    def reload(self) -> None:
        """Let the running server take the password that is set now."""
        self._configure()
        os.kill(self.pid, signal.SIGHUP)

    @property
    def own_url(self) -> str:
        """Its address with the password that is set now."""
        return self.url.replace("//", f"//millrace:{self.password}@")

    @property
    def _configuration(self) -> Path:
        return self.folder / "nats.conf"

    def _configure(self) -> None:
        self._configuration.write_text(f'authorization {{ user: "millrace", password: "{self.password}" }}\n')


@pytest.fixture
def guarded() -> Iterator[GuardedServer]:
    with GuardedServer() as server:
        yield server


async def test_a_server_that_comes_back_is_found_again() -> None:
    with NatsServer() as server:
        client = await connect(SecretStr(server.url), "test")
        server.kill()
        server.start()
        await eventually(lambda: client.is_connected, "connected again", seconds=20)
        await client.close()


async def test_a_server_that_refuses_the_password_for_a_moment_is_found_again(guarded: GuardedServer) -> None:
    lifeline = Lifeline()
    client = await connect(SecretStr(guarded.own_url), "test", on_end=lifeline.cut)
    guarded.kill()
    guarded.password = "second"
    guarded.start()
    await eventually(lambda: "Authorization" in str(client.last_error), "refused", seconds=20)
    guarded.password = "first"
    guarded.reload()
    await eventually(lambda: client.is_connected, "connected again", seconds=20)
    assert lifeline.exit_status() == 0
    await client.close()


async def test_a_connection_whose_password_is_not_taken_any_more_ends_its_process(guarded: GuardedServer) -> None:
    lifeline = Lifeline()
    client = await connect(SecretStr(guarded.own_url), "test", on_end=lifeline.cut)
    guarded.kill()
    guarded.password = "second"
    guarded.start()
    await eventually(lambda: lifeline.exit_status() == 1, "the process has to end", seconds=30)
    await client.close()


@pytest.mark.parametrize("restarted", [False, True], ids=["reloaded", "restarted"])
async def test_a_worker_ends_when_the_password_was_changed(
    guarded: GuardedServer, tmp_path: Path, restarted: bool
) -> None:
    settings = {"nats_url": guarded.own_url, "workspace_url": tmp_path.as_uri(), "seal_keys": SEAL_KEY}
    async with provisioned(guarded), Service("uploader", **settings) as uploader:
        guarded.password = "second"
        if restarted:
            guarded.kill()
            guarded.start()
        else:
            guarded.reload()
        await eventually(lambda: not uploader.running, "the worker ends", seconds=30)
        assert '"this process cannot go on"' in uploader.log()
        assert "Traceback" not in uploader.log()

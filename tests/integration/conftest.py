"""Real servers for the integration tests; how they are run stands in tests/support/servers.py."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import watch
from tests.support.servers import NatsServer, PostgresServer, nats_server, postgres_server


@pytest.fixture(scope="session", autouse=True)
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file that tells of the event loops of all services which are started from here on."""
    file = tmp_path_factory.mktemp("watch") / "slow"
    os.environ[watch.FILE] = str(file)
    yield file
    del os.environ[watch.FILE]


@pytest.fixture(autouse=True)
def no_event_loop_stands_still(watched: Path) -> Iterator[None]:
    """A service that stands still while a test runs fails it."""
    yield
    slow = watch.slow_callbacks(watched)
    assert not slow, "\n".join(slow)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests. Who wants to stop or kill one makes his own."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def database_url(postgres: PostgresServer) -> str:
    """A fresh, empty database for each module of tests."""
    return postgres.new_database()


@pytest.fixture(scope="module")
def nats_server_of_module() -> Iterator[NatsServer]:
    """A NATS server for each module of tests: nothing is provisioned on it yet."""
    with nats_server() as server:
        yield server


@pytest.fixture(scope="module")
def nats_url(nats_server_of_module: NatsServer) -> str:
    """Address of the module's NATS server."""
    return nats_server_of_module.url

"""Real servers for the integration tests; how they are run stands in tests/support/servers.py."""

from collections.abc import Iterator

import pytest

from tests.support.servers import NatsServer, PostgresServer, nats_server, postgres_server


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

"""Real servers for the integration tests; how they are run stands in tests/support/servers.py."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from nats.aio.client import Client

from services.api.database.pool import Connection
from shared.bus.joblog import JobLog
from shared.cage.cage import Cage, current, use
from tests.support import watch
from tests.support.api import Account, ApiProcess, Caller
from tests.support.bus import provisioned
from tests.support.s3 import S3Server, s3_server
from tests.support.samples import ORG
from tests.support.schema import migrated, new_organization
from tests.support.servers import NatsServer, PostgresServer, nats_server, postgres_server
from tests.support.service import Service
from tests.support.uploads import Site

LONG = (
    *(
        "test_upgrade",
        "test_notifier_faults",
        "test_cluster",
        "test_sound_start",
        "test_address_guard",
        "test_full_disk",
    ),
    *(
        "test_parts",
        "test_uploader_faults",
        "test_transcoder",
        "test_leader",
        "test_encrypted_playback",
        "test_notifier",
    ),
    *("test_lease", "test_pulls", "test_drain", "test_topology", "test_poison_parts", "test_client", "test_endings"),
    *("test_uploader", "test_connection", "test_fetcher_outages", "test_stack_servers", "test_uploader_encryption"),
    *(
        "test_uploader_turns",
        "test_uploader_outages",
        "test_slow_sources",
        "test_fleet",
        "test_bus_tls",
        "test_client_cli",
    ),
)
"""Modules that take long, most of them because they wait."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that in the end nobody waits for the last of it."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONG)))


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


@pytest.fixture
async def client(nats_server_of_module: NatsServer) -> AsyncIterator[Client]:
    """A connection to the module's NATS server, on which everything stands ready and nothing has been published yet."""
    async with provisioned(nats_server_of_module) as client:
        yield client


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    """An S3 server for each module of tests, without buckets."""
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def site(nats_server_of_module: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """What the uploaders of a module of tests work on: its NATS server, a bucket and a work space."""
    with Site.opened(nats_server_of_module, tmp_path_factory.mktemp("workspace")) as site:
        yield site


@pytest.fixture(scope="module")
def uploader(site: Site) -> Iterator[Service]:
    """One uploader for a module of tests. Who wants to stop or kill one makes his own."""
    with site.uploader() as running:
        yield running


@pytest.fixture(scope="module")
def account(api: ApiProcess) -> Account:
    """A customer of the api that a module of tests has a fixture of its own for."""
    return api.account("customer")


@pytest.fixture
async def caller(api: ApiProcess, account: Account) -> AsyncIterator[Caller]:
    """The customer's requests."""
    async with Caller(api, account) as caller:
        yield caller


@pytest.fixture
async def database(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection to the module's database."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
def log(client: Client) -> JobLog:
    """The log of jobs there."""
    return JobLog(client)


@pytest.fixture
async def url(postgres: PostgresServer) -> str:
    """A fresh database whose migrations have run."""
    return await migrated(postgres.new_database())


@pytest.fixture
async def connection(url: str) -> AsyncIterator[Connection]:
    """A connection to that database, in which the organization of the samples exists."""
    connection = await asyncpg.connect(url)
    await new_organization(connection, ORG)
    yield connection
    await connection.close()


@pytest.fixture
def uncaged() -> Iterator[None]:
    """Children of this process run outside of the cage, as with ``MILLRACE_CAGE=off``, since scripts cannot run in it."""
    before = current()
    use(Cage("off", frozenset()))
    yield
    use(before)

"""Credentials stay as long as their job needs them, and no longer, also where it never came to be."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from nats.aio.client import Client
from nats.js.errors import NoKeysError

from services.api.projection.vault_sweep import VaultSweep
from shared.bus.joblog import JobLog
from shared.bus.topology import SECRETS_BUCKET
from shared.bus.vault import JobAddresses, Vault
from shared.events import Cancelled
from shared.ids import new_job_id
from shared.sealing import Sealer
from tests.support.bus import provisioned, tell
from tests.support.samples import ORG, created
from tests.support.servers import NatsServer

ADDRESSES = JobAddresses("https://example.com/a", "s3://bucket/a/")


@pytest.fixture
async def client(nats_server_of_module: NatsServer) -> AsyncIterator[Client]:
    async with provisioned(nats_server_of_module) as client:
        yield client


@pytest.fixture
def vault(client: Client) -> Vault:
    return Vault(client, Sealer([bytes(32)]))


def sweep(client: Client, vault: Vault, *, age: float = 0) -> VaultSweep:
    return VaultSweep(client, JobLog(client), vault, ready=lambda: True, age=timedelta(seconds=age))


async def kept(client: Client) -> set[str]:
    """Jobs whose credentials are in the vault."""
    try:
        return {key.partition(".")[2] for key in await (await client.jetstream().key_value(SECRETS_BUCKET)).keys()}
    except NoKeysError:
        return set()


async def test_only_those_of_unfinished_jobs_stay(client: Client, vault: Vault) -> None:
    log, running, ended, never = JobLog(client), new_job_id(), new_job_id(), new_job_id()
    before = await kept(client)
    for job in (running, ended, never):
        await vault.put(ORG, job, ADDRESSES)
    await tell(log, [created(running), created(ended), Cancelled(org=ORG, job=ended)])
    too_young = sweep(client, vault, age=60)
    await too_young.sweep()
    await too_young.sweep()
    assert await kept(client) - before == {running, ended, never}

    sweeping = sweep(client, vault)
    await sweeping.sweep()
    assert await kept(client) - before == {running, ended, never}, "what was seen once only is kept"
    await sweeping.sweep()
    assert await kept(client) & {running, ended, never} == {running}

    # What comes later is found as well, and what was looked at is not looked at again.
    later = new_job_id()
    await vault.put(ORG, later, ADDRESSES)
    await sweeping.sweep()
    await sweeping.sweep()
    assert await kept(client) & {running, later} == {running}

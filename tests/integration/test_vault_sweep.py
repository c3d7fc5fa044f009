"""Credentials stay as long as their job needs them, and no longer, also where it never came to be."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from nats.aio.client import Client
from nats.js.errors import NoKeysError

from services.api.drm.encryption import key_set
from services.api.projection.vault_sweep import VaultSweep
from shared.bus.joblog import JobLog
from shared.bus.topology import SECRETS_BUCKET
from shared.bus.vault import JobAddresses, Vault
from shared.encryption.keys import ContentKey, KeySet
from shared.encryption.providers import SealedStore
from shared.encryption.request import EncryptionRequest
from shared.errors import PermanentError
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


def some_keys() -> KeySet:
    key = ContentKey("all", bytes(16), bytes(16), b"k" * 16)
    return key_set((key,), EncryptionRequest(scheme="cbcs", systems=("widevine",)), "0" * 32)


async def test_keys_go_with_the_credentials_and_first_ones_stand(client: Client, vault: Vault) -> None:
    log, running, ended, late = JobLog(client), new_job_id(), new_job_id(), new_job_id()
    first, second = (
        some_keys(),
        key_set((ContentKey("all", bytes(16), bytes(16), b"2" * 16),), EncryptionRequest(scheme="cbcs"), "0" * 32),
    )
    for job in (running, ended):
        assert await vault.put_keys(ORG, job, first) == first
        assert await vault.put_keys(ORG, job, second) == first
        await vault.put(ORG, job, ADDRESSES, SealedStore())
        assert await vault.get(ORG, job) == ADDRESSES
    await tell(log, [created(running), created(ended), created(late)])
    await vault.forget(ORG, ended)
    assert {key for key in await kept(client) if key.partition(".")[0] in (running, ended)} == {
        running,
        f"{running}.keys",
    }
    # A worker that has lost its lease may still come with keys when the job has ended.
    await tell(log, [Cancelled(org=ORG, job=late)])
    await vault.put_keys(ORG, late, first)
    await vault.put_keys(ORG, ended, second)
    sweeping = sweep(client, vault)
    await sweeping.sweep()
    await sweeping.sweep()
    assert {key for key in await kept(client) if key.partition(".")[0] in (running, late)} == {
        running,
        f"{running}.keys",
    }
    assert await vault.key_set(ORG, late) is None
    assert await vault.key_set(ORG, running) == first


async def test_what_older_versions_have_kept_is_read(client: Client, vault: Vault) -> None:
    job = new_job_id()
    sealed = Sealer([bytes(32)]).seal('["https://example.com/a", "s3://bucket/a/"]', f"addresses of {ORG}.{job}")
    await (await client.jetstream().key_value(SECRETS_BUCKET)).put(f"{ORG}.{job}", sealed)
    assert await vault.get(ORG, job) == ADDRESSES
    assert await vault.provider(ORG, job) is None
    assert await vault.key_set(ORG, job) is None
    with pytest.raises(PermanentError, match="credentials_lost"):
        await vault.keys(ORG, job)
    await vault.forget(ORG, job)


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

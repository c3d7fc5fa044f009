"""Intake where the outcome of an append is not known, on a real NATS and a real Postgres."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from nats.errors import TimeoutError as NatsTimeoutError
from pydantic import SecretStr

from services.api.accounts.organizations import Storages
from services.api.contract.errors import ApiError, Invalid, QuotaExceeded, Unavailable
from services.api.contract.json_body import parse_members
from services.api.contract.key_addresses import KeyAddresses
from services.api.contract.models import JobRequest
from services.api.contract.validation import validate
from services.api.database.pool import Database, close_pool, open_pool
from services.api.drm.encryption import Encryptions
from services.api.drm.providers import ProviderRules
from services.api.intake.intake import Intake
from services.api.intake.quotas import JobQuotas
from services.api.intake.reservations import Reservations
from services.api.intake.submission import Submission
from services.api.uploads.uses import UploadUses
from shared.bus.beginnings import Beginnings
from shared.bus.joblog import JobLog
from shared.bus.vault import JobAddresses, Vault
from shared.encryption.providers import KeyProvider
from shared.events import Cancelled, Created, Recorded
from shared.sealing import Sealer
from tests.support.api import job_body
from tests.support.bus import provisioned
from tests.support.policies import PUBLIC
from tests.support.schema import migrated, new_organization
from tests.support.servers import NatsServer

ORG = "abcdef"


class BadDay(Beginnings):
    """Appends that go wrong as often as told: before or after the server has stored them."""

    before = after = 0

    async def begin(self, created: Created) -> Recorded | None:
        if self.before:
            self.before -= 1
            raise NatsTimeoutError
        recorded = await super().begin(created)
        if self.after:
            self.after -= 1
            raise NatsTimeoutError
        return recorded


class FullVault(Vault):
    """A vault that takes nothing as long as told."""

    fail = False

    async def put(self, org: str, job: str, addresses: JobAddresses, provider: KeyProvider | None = None) -> None:
        if self.fail:
            raise NatsTimeoutError
        await super().put(org, job, addresses, provider)


@dataclass(frozen=True)
class Scene:
    """An intake with its parts."""

    intake: Intake
    log: JobLog
    beginnings: BadDay
    vault: FullVault
    database: Database

    async def claims(self) -> int:
        async with self.database.connection() as connection:
            return int(await connection.fetchval("select count(*) from output_claims"))


@pytest.fixture
async def scene(nats_server_of_module: NatsServer, database_url: str) -> AsyncIterator[Scene]:
    async with provisioned(nats_server_of_module) as client:
        database = Database(await open_pool(SecretStr(await migrated(database_url)), 5))
        async with database.connection() as connection:
            await connection.execute("truncate organizations, jobs, output_claims cascade")
            await new_organization(connection, ORG)
        sealer = Sealer([b"k" * 32])
        log, beginnings, vault = JobLog(client), BadDay(client), FullVault(client, sealer)
        quotas = JobQuotas(unfinished_jobs=5, jobs_per_hour=3)
        yield Scene(
            Intake(
                database,
                log,
                beginnings,
                vault,
                Storages(database, sealer),
                Reservations(database, log, vault, quotas),
                Encryptions(database, sealer, KeyAddresses(), ProviderRules()),
                UploadUses(database, keep_days=7),
            ),
            log,
            beginnings,
            vault,
            database,
        )
        await close_pool(database.pool)


def order(key: str | None = None, body: dict[str, object] | None = None) -> Submission:
    from json import dumps

    raw = dumps(body or job_body()).encode()
    return Submission(validate(JobRequest, parse_members(raw), policy=PUBLIC), None, raw, key)


async def test_stored_but_not_acknowledged_is_accepted(scene: Scene) -> None:
    scene.beginnings.after = 1
    accepted = await scene.intake.accept(ORG, order())
    assert not accepted.replayed
    assert await scene.log.read(ORG, accepted.job.id)


async def test_not_confirmed_is_told_and_the_same_key_gives_the_job_that_was_named(scene: Scene) -> None:
    scene.beginnings.before = 1
    wanted = order("key")
    with pytest.raises(ApiError) as caught:
        await scene.intake.accept(ORG, wanted)
    assert isinstance(caught.value, Unavailable)
    assert caught.value.retry_after > 0
    async with scene.database.connection() as connection:
        named = await connection.fetchval("select job from idempotency_keys where org = $1 and key = 'key'", ORG)
    # Its place stays reserved, because the event may be on its way still.
    assert await scene.claims() == 1
    accepted = await scene.intake.accept(ORG, wanted)
    assert accepted.job.id == named
    assert (await scene.intake.accept(ORG, wanted)).job.id == named


async def test_one_that_came_to_be_after_all_is_found_by_its_key_even_when_it_has_ended(scene: Scene) -> None:
    wanted = order("key")
    scene.beginnings.before = 1
    with pytest.raises(ApiError):
        await scene.intake.accept(ORG, wanted)
    first = await scene.intake.accept(ORG, wanted)
    await scene.log.append(Cancelled(org=ORG, job=first.job.id))
    again = await scene.intake.accept(ORG, wanted)
    assert (again.replayed, again.job.id, again.job.status) == (True, first.job.id, "cancelled")


async def test_what_ended_without_the_projection_knowing_holds_no_place(scene: Scene) -> None:
    body: dict[str, object] = dict(job_body())
    first = await scene.intake.accept(ORG, order(body=body))
    with pytest.raises(ApiError) as caught:
        await scene.intake.accept(ORG, order(body=body))
    assert isinstance(caught.value, Invalid)
    await scene.log.append(Cancelled(org=ORG, job=first.job.id))
    second = await scene.intake.accept(ORG, order(body=body))
    assert second.job.id != first.job.id
    assert await scene.claims() == 1


async def test_a_job_that_was_not_accepted_is_not_counted(scene: Scene) -> None:
    scene.vault.fail = True
    for _ in range(4):
        with pytest.raises(ApiError) as caught:
            await scene.intake.accept(ORG, order())
        assert isinstance(caught.value, Unavailable)
    scene.vault.fail = False
    for _ in range(3):
        await scene.intake.accept(ORG, order())
    with pytest.raises(QuotaExceeded):
        await scene.intake.accept(ORG, order())
    assert await scene.claims() == 3

"""Reservations of jobs that come at the same time: each gets what it would have got alone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from services.api.contract.errors import Conflict, QuotaExceeded
from services.api.database.pool import Connection, Database, close_pool, open_pool
from services.api.intake.quotas import JobQuotas
from services.api.intake.reserving import Claimed, IdempotencyKey, Reservation, Reserving
from shared.ids import new_job_id
from tests.support.schema import migrated, new_organization

ORG, OTHER = "abcdef", "ghijkl"
NONE = JobQuotas(unfinished_jobs=0, jobs_per_hour=0)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(await open_pool(SecretStr(await migrated(database_url)), 5))
    async with database.connection() as connection:
        await connection.execute("truncate organizations, output_claims, created_jobs cascade")
        for org in (ORG, OTHER):
            await new_organization(connection, org)
    yield database
    await close_pool(database.pool)


def wanted(location: str, *, org: str = ORG, key: str = "", body: bytes = b"") -> Reservation:
    return Reservation(org, new_job_id(), location, IdempotencyKey(key, body) if key else None, known=False)


async def reserve(
    database: Database, asked: list[Reservation], quotas: JobQuotas = NONE
) -> list[Reservation | Exception]:
    async with database.transaction() as connection:
        reserving = Reserving(connection, asked)
        outcomes = await reserving.reserve(quotas)
        await reserving.give_back()
        return outcomes


async def held(connection: Connection) -> tuple[Any, ...]:
    """Jobs with claims, jobs with keys, and how many were counted of each organization."""
    return (
        {row["job"] for row in await connection.fetch("select job from output_claims")},
        {row["job"] for row in await connection.fetch("select job from idempotency_keys")},
        {row["org"]: row["jobs"] for row in await connection.fetch("select org, jobs from created_jobs")},
        {
            row["org"]: row["jobs"]
            for row in await connection.fetch("select org, sum(claims)::int as jobs from claim_counts group by org")
        },
    )


async def test_each_gets_what_it_can_have(database: Database) -> None:
    (before,) = await reserve(database, [wanted("taken", key="known", body=b"1")])
    assert isinstance(before, Reservation)
    asked = [
        wanted("free", key="new"),
        wanted("taken"),
        wanted("anywhere", key="known", body=b"1"),
        wanted("anywhere else", key="known", body=b"2"),
        wanted("free"),
        wanted("free too", key="new"),
        # The place of another organization is another place, and so is its key.
        wanted("taken", org=OTHER, key="known", body=b"3"),
    ]
    first, second, third, fourth, fifth, sixth, seventh = await reserve(database, asked)
    assert (first, seventh) == (asked[0], asked[6])
    assert isinstance(second, Claimed)
    assert second.job == before.job
    assert isinstance(third, Reservation)
    assert (third.job, third.known) == (before.job, True)
    # What comes of the one with the same key is not known yet, so that it is to ask once more.
    assert isinstance(fourth, Claimed)
    assert fourth.job == ""
    assert isinstance((await reserve(database, [asked[3]]))[0], Conflict)
    assert isinstance(fifth, Claimed)
    assert fifth.job == asked[0].job
    assert isinstance(sixth, Claimed)
    assert sixth.job == ""
    made = {before.job, asked[0].job, asked[6].job}
    async with database.connection() as connection:
        assert await held(connection) == (made, made, {ORG: 2, OTHER: 1}, {ORG: 2, OTHER: 1})


@pytest.mark.parametrize("quotas", [JobQuotas(3, 0), JobQuotas(0, 3)], ids=["unfinished", "an hour"])
async def test_as_many_as_the_quota_leaves(database: Database, quotas: JobQuotas) -> None:
    asked = [wanted(f"{number}", key=f"{number}") for number in range(5)] + [wanted("0", org=OTHER, key="0")]
    outcomes = await reserve(database, asked, quotas)
    assert outcomes[:3] == asked[:3]
    assert outcomes[5] == asked[5]
    assert all(isinstance(outcome, QuotaExceeded) for outcome in outcomes[3:5])
    assert all(isinstance(one, QuotaExceeded) for one in await reserve(database, [wanted("9", key="9")], quotas))
    made = {one.job for one in (*asked[:3], asked[5])}
    async with database.connection() as connection:
        assert await held(connection) == (made, made, {ORG: 3, OTHER: 1}, {ORG: 3, OTHER: 1})


async def test_several_at_the_same_time_stay_within_the_quota_and_never_wait_for_each_other(database: Database) -> None:
    """Four processes, each with jobs of both organizations, with keys and places that others want too, in any order."""
    batches = []
    for shift in range(4):
        places = [(number * (shift + 1)) % 7 for number in range(7)]
        batches.append([wanted(f"{place}", org=org, key=f"{place}") for place in places for org in (OTHER, ORG)])
    found = await asyncio.gather(*(reserve(database, batch, JobQuotas(5, 5)) for batch in batches))
    given = [one for outcomes in found for one in outcomes if isinstance(one, Reservation) and not one.known]
    made = {one.job for one in given}
    assert {org: sum(one.org == org for one in given) for org in (ORG, OTHER)} == {ORG: 5, OTHER: 5}
    async with database.connection() as connection:
        assert await held(connection) == (made, made, {ORG: 5, OTHER: 5}, {ORG: 5, OTHER: 5})

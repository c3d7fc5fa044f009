"""What intake reserves in Postgres before an event says so: the idempotency key and the claim on the output location.

A reservation is settled by the log: as soon as the job's ``created`` stands there, the job owns it. One whose job never
came to be (the process died, the outcome of the append was unknown) is free again after a minute.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.api.contract.errors import BadRequest, Conflict, Invalid, OfItem, Unavailable
from services.api.database.pool import Connection, Database
from services.api.intake.quotas import JobQuotas, count_no_longer
from shared.bus.joblog import JobLog
from shared.bus.vault import Vault
from shared.events import Created

KEY_HOURS = 24
MOST_KEY_LENGTH = 255
UNSETTLED_SECONDS = 60.0
PATIENCE_SECONDS = 2.0
_POLL_SECONDS = 0.2

_TAKE_CLAIM = """
    insert into output_claims (org, location, job) values ($1, $2, $3)
    on conflict (org, location) do update set claimed = now() where output_claims.job = excluded.job
    returning job
"""
# Retries of retries belong to it.
_COMPLETED_RETRY = """
    with recursive retries (id, status) as (
        select id, status from jobs where retry_of = $2 and org = $1
        union
        select jobs.id, jobs.status from retries join jobs on jobs.retry_of = retries.id and jobs.org = $1
    )
    select id from retries where status = 'completed' limit 1
"""
_OTHERS_CLAIM = "select job, claimed, now() - claimed as age from output_claims where org = $1 and location = $2"


@dataclass(frozen=True)
class IdempotencyKey:
    """The header's value, and the hash of the body that came with it."""

    key: str
    body: bytes

    def of_item(self, number: int) -> "IdempotencyKey":
        """The key of one job of several; a client cannot spell it."""
        return IdempotencyKey(f"{self.key}\n{number}", self.body)


@dataclass(frozen=True)
class Reservation:
    """A job's name before it exists.

    Attributes:
        known: the idempotency key was seen before, and this is the job it named.
        retry_of: the ended job that it shall run again.
    """

    org: str
    job: str
    location: str
    key: IdempotencyKey | None
    known: bool
    retry_of: str | None = None


class _Claimed(Exception):
    """Another job has a claim on the output location; ``job`` is empty if it was released in this very moment."""

    def __init__(self, location: str, job: str, claimed: datetime, age: timedelta) -> None:
        self.location, self.job, self.claimed, self.age = location, job, claimed, age
        super().__init__(job)


def check_key(key: str) -> str:
    """An ``Idempotency-Key``.

    Raises:
        BadRequest, Invalid: it is malformed.
    """
    if not 1 <= len(key) <= MOST_KEY_LENGTH or not key.isprintable():
        raise BadRequest(f"Idempotency-Key must be 1 to {MOST_KEY_LENGTH} printable characters.")
    return key


class Reservations:
    """Reserves names, keys and places."""

    def __init__(self, database: Database, log: JobLog, vault: Vault, quotas: JobQuotas) -> None:
        self._database = database
        self._log = log
        self._vault = vault
        self._quotas = quotas

    async def make(
        self, org: str, new_job: str, location: str, key: IdempotencyKey | None, retry_of: str | None = None
    ) -> Reservation:
        """Reserve the key and the output location, both or neither.

        A key that is known brings back its job's name and claims nothing: whether that job exists is for the caller to
        find out, who then calls :meth:`claim_again` if it does not.

        Raises:
            Invalid: another job writes there. Conflict: another retry of the same job does, or one is completed, or the key came
            with another body.
            QuotaExceeded: it is a job too many.
            Unavailable: not decided yet. DatabaseDown: nothing is reserved, or it is for a minute.
        """
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                async with self._database.transaction() as connection:
                    job = await _take_key(connection, org, new_job, key) if key else new_job
                    if job == new_job:
                        if retry_of:
                            await _check_no_retry_is_completed(connection, org, retry_of)
                        await _take_claim(connection, org, location, job)
                        await self._quotas.count(connection, org)
                    return Reservation(org, job, location, key, known=job != new_job, retry_of=retry_of)
            except _Claimed as held:
                await self._settle(org, location, held, deadline, retry_of)

    async def make_all(
        self, org: str, wanted: Sequence[tuple[str, str]], key: IdempotencyKey | None
    ) -> list[Reservation]:
        """Reserve for several new jobs, for all of them or for none.

        Args:
            wanted: a new job's name and its output location, which no two of them share.
            key: of them all. If it is known, so are all.

        Raises:
            OfItem: one cannot be had, for a reason of :meth:`make`; it says which one.
            Conflict, QuotaExceeded, Unavailable, DatabaseDown: as there.
        """
        keys = [key.of_item(number) if key else None for number in range(len(wanted))]
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                async with self._database.transaction() as connection:
                    jobs = [
                        await _take_key(connection, org, job, item) if item else job
                        for (job, _), item in zip(wanted, keys, strict=True)
                    ]
                    made = [
                        Reservation(org, job, location, item, known=job != new)
                        for job, (new, location), item in zip(jobs, wanted, keys, strict=True)
                    ]
                    if not made[0].known:
                        await self._claim_all(connection, made)
                        for _ in made:
                            await self._quotas.count(connection, org)
                    return made
            except _Claimed as held:
                await self._settle_item(made, held, deadline)

    async def claim_all_again(self, made: Sequence[Reservation]) -> None:
        """Claim the output locations for jobs that were named before but do not exist. Raises: as :meth:`make_all`."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                async with self._database.transaction() as connection:
                    await self._claim_all(connection, made)
                    return
            except _Claimed as held:
                await self._settle_item(made, held, deadline)

    async def _claim_all(self, connection: "Connection", made: Sequence[Reservation]) -> None:
        # By their order, as all who lock several rows do, or they would wait for each other.
        for one in sorted(made, key=lambda one: one.location):
            await _take_claim(connection, one.org, one.location, one.job)

    async def _settle_item(self, made: Sequence[Reservation], held: _Claimed, deadline: float) -> None:
        number = next(number for number, one in enumerate(made) if one.location == held.location)
        try:
            await self._settle(made[number].org, held.location, held, deadline, None)
        except Invalid as error:
            raise OfItem({number: error}) from None

    async def claim_again(self, reservation: Reservation) -> None:
        """Claim the output location for a job that was named before but does not exist.

        Raises: as :meth:`make`.
        """
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                async with self._database.transaction() as connection:
                    await _take_claim(connection, reservation.org, reservation.location, reservation.job)
                    return
            except _Claimed as held:
                await self._settle(reservation.org, reservation.location, held, deadline, reservation.retry_of)

    async def release(self, reservation: Reservation) -> None:
        """Give everything back. Only for a job that certainly does not exist and never will."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "delete from output_claims where org = $1 and job = $2", reservation.org, reservation.job
            )
            await connection.execute(
                "delete from idempotency_keys where org = $1 and job = $2", reservation.org, reservation.job
            )
            await count_no_longer(connection, reservation.org)

    async def forget_expired(self) -> None:
        """Delete keys whose time is over."""
        async with self._database.connection() as connection:
            await connection.execute(
                "delete from idempotency_keys where created < now() - make_interval(hours => $1)", KEY_HOURS
            )

    async def _settle(self, org: str, location: str, held: _Claimed, deadline: float, retry_of: str | None) -> None:
        """Find out what another's claim is worth; returns when it is worth another try."""
        if not held.job:
            return
        created = await self._log.fact(org, held.job, Created)
        if not created:
            if held.age.total_seconds() >= UNSETTLED_SECONDS:
                await self._drop(org, location, held)
                await self._vault.forget(org, held.job)
            elif asyncio.get_running_loop().time() > deadline:
                raise Unavailable(
                    "Another request for this output_path has not been decided yet. Try again in a minute.",
                    int(UNSETTLED_SECONDS),
                )
            else:
                await asyncio.sleep(_POLL_SECONDS)
        elif await self._log.end_of(org, held.job):
            # It is finished, and the projection just does not know yet.
            await self._drop(org, location, held)
        elif retry_of and created.retry_of == retry_of:
            raise Conflict(f"The unfinished job {held.job} is a retry of this job. Wait for it, or cancel it.")
        else:
            writer = f"The unfinished job {held.job} writes to this output_path."
            raise Invalid({"output_path": [f"{writer} Use another one, or wait for that job or cancel it."]})

    async def _drop(self, org: str, location: str, held: _Claimed) -> None:
        async with self._database.connection() as connection:
            await connection.execute(
                "delete from output_claims where org = $1 and location = $2 and job = $3 and claimed = $4",
                org,
                location,
                held.job,
                held.claimed,
            )


async def _take_key(connection: "Connection", org: str, new_job: str, key: IdempotencyKey) -> str:
    """The job that the key names: the new one, or the one of the first request."""
    await connection.execute(
        "delete from idempotency_keys where org = $1 and key = $2 and created < now() - make_interval(hours => $3)",
        org,
        key.key,
        KEY_HOURS,
    )
    # Waits for another transaction that is inserting the same key.
    inserted = await connection.fetchval(
        "insert into idempotency_keys (org, key, body, job) values ($1, $2, $3, $4) on conflict do nothing returning job",
        org,
        key.key,
        key.body,
        new_job,
    )
    if inserted:
        return new_job
    row = await connection.fetchrow("select body, job from idempotency_keys where org = $1 and key = $2", org, key.key)
    if row is None:
        raise Unavailable("The request that first used this Idempotency-Key has just been given up. Try again.", 1)
    if row["body"] != key.body:
        raise Conflict("This Idempotency-Key was used with another body before. Use a new key for a new request.")
    return str(row["job"])


async def _check_no_retry_is_completed(connection: "Connection", org: str, job: str) -> None:
    if done := await connection.fetchval(_COMPLETED_RETRY, org, job):
        raise Conflict(f"The job {done} is a retry of this job, and completed. Create a job to make its output again.")


async def _take_claim(connection: "Connection", org: str, location: str, job: str) -> None:
    if await connection.fetchval(_TAKE_CLAIM, org, location, job):
        return
    row = await connection.fetchrow(_OTHERS_CLAIM, org, location)
    if row is None:
        raise _Claimed(location, "", datetime.min, timedelta())
    raise _Claimed(location, row["job"], row["claimed"], row["age"])

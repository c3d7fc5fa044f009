"""What intake reserves in Postgres before an event says so: the idempotency key and the claim on the output location.

A reservation is settled by the log: as soon as the job's ``created`` stands there, the job owns it. One whose job never
came to be (the process died, the outcome of the append was unknown) is free again after a minute.
"""

import asyncio
from collections.abc import Sequence

from services.api.contract.errors import BadRequest, Conflict, Invalid, OfItem, Unavailable
from services.api.database.pool import Connection, Database, DatabaseDown
from services.api.intake.quotas import JobQuotas, count_no_longer
from services.api.intake.reserving import KEY_HOURS, Claimed, IdempotencyKey, Reservation, Reserving, undecided
from shared.bus.joblog import JobLog
from shared.bus.vault import Vault
from shared.coalescing import Coalescer
from shared.events import Created

MOST_KEY_LENGTH = 255
UNSETTLED_SECONDS = 60.0
PATIENCE_SECONDS = 2.0
_POLL_SECONDS = 0.2

_TAKE_CLAIM = """
    insert into output_claims (org, location, job) values ($1, $2, $3)
    on conflict (org, location) do update set claimed = now() where output_claims.job = excluded.job
    returning job
"""
_NAMED = """
    select job from idempotency_keys
    where org = $1 and key = $2 and body = $3 and created >= now() - make_interval(hours => $4)
"""
_OTHERS_CLAIM = "select job, claimed, now() - claimed as age from output_claims where org = $1 and location = $2"


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
        self._together = Coalescer(self._make_each, everybodys=(DatabaseDown,))

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
        wanted = Reservation(org, new_job, location, key, known=False, retry_of=retry_of)
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                return await self._together.do(wanted)
            except Claimed as held:
                await self._settle(org, location, held, deadline, retry_of)

    async def _make_each(self, wanted: Sequence[Reservation]) -> Sequence[Reservation | Exception]:
        async with self._database.transaction() as connection:
            reserving = Reserving(connection, wanted)
            outcomes = await reserving.reserve(self._quotas)
            await reserving.give_back()
            return outcomes

    async def named(self, org: str, key: IdempotencyKey) -> Reservation | None:
        """What an earlier request with the same key and body has reserved, whatever became of it; None without one."""
        async with self._database.connection() as connection:
            job = await connection.fetchval(_NAMED, org, key.key, key.body, KEY_HOURS)
        return Reservation(org, job, "", key, known=True) if job else None

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
        asked = [
            Reservation(org, job, location, key.of_item(number) if key else None, known=False)
            for number, (job, location) in enumerate(wanted)
        ]
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                async with self._database.transaction() as connection:
                    made = []
                    for outcome in await Reserving(connection, asked).reserve(self._quotas):
                        if isinstance(outcome, Exception):
                            raise outcome
                        made.append(outcome)
                    if not made[0].known:
                        # Only where an earlier request has died while it gave back its reservations.
                        await self._claim_all(connection, [one for one in made if one.known])
                    return made
            except Claimed as held:
                await self._settle_item(asked, held, deadline)

    async def claim_all_again(self, made: Sequence[Reservation]) -> None:
        """Claim the output locations for jobs that were named before but do not exist. Raises: as :meth:`make_all`."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                async with self._database.transaction() as connection:
                    await self._claim_all(connection, made)
                    return
            except Claimed as held:
                await self._settle_item(made, held, deadline)

    async def _claim_all(self, connection: "Connection", made: Sequence[Reservation]) -> None:
        # By their order, as all who lock several rows do, or they would wait for each other.
        for one in sorted(made, key=lambda one: one.location):
            await _take_claim(connection, one.org, one.location, one.job)

    async def _settle_item(self, made: Sequence[Reservation], held: Claimed, deadline: float) -> None:
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
            except Claimed as held:
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

    async def _settle(self, org: str, location: str, held: Claimed, deadline: float, retry_of: str | None) -> None:
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

    async def _drop(self, org: str, location: str, held: Claimed) -> None:
        async with self._database.connection() as connection:
            await connection.execute(
                "delete from output_claims where org = $1 and location = $2 and job = $3 and claimed = $4",
                org,
                location,
                held.job,
                held.claimed,
            )


async def _take_claim(connection: "Connection", org: str, location: str, job: str) -> None:
    if await connection.fetchval(_TAKE_CLAIM, org, location, job):
        return
    row = await connection.fetchrow(_OTHERS_CLAIM, org, location)
    if row is None:
        raise undecided(location)
    raise Claimed(location, row["job"], row["claimed"], row["age"])

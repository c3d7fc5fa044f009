"""Reserving for several new jobs in one transaction, of any organizations: each of them gets what it can have.

A transaction for each job would write to the disk as often, and those of one organization would do it one after the other, since
they are counted. So those that come at the same time share one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.api.contract.errors import Conflict, Unavailable
from services.api.database.pool import Connection
from services.api.intake.quotas import JobQuotas

KEY_HOURS = 24

_EXPIRE_KEYS = """
    delete from idempotency_keys as known using unnest($1::text[], $2::text[]) as given (org, key)
    where known.org = given.org and known.key = given.key and known.created < now() - make_interval(hours => $3)
"""
# By their order, as all who lock several rows do, or they would wait for each other. This waits for another transaction that is
# inserting the same key.
_TAKE_KEYS = """
    insert into idempotency_keys (org, key, body, job)
    select * from unnest($1::text[], $2::text[], $3::bytea[], $4::text[]) order by 1, 2
    on conflict do nothing returning job
"""
_KNOWN_KEYS = """
    select org, key, body, job from idempotency_keys
    join unnest($1::text[], $2::text[]) as given (org, key) using (org, key)
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
_TAKE_CLAIMS = """
    insert into output_claims (org, location, job)
    select * from unnest($1::text[], $2::text[], $3::text[]) order by 1, 2
    on conflict do nothing returning job
"""
_KNOWN_CLAIMS = """
    select org, location, job, claimed, now() - claimed as age from output_claims
    join unnest($1::text[], $2::text[]) as given (org, location) using (org, location)
"""


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


class Claimed(Exception):
    """Another job has a claim on the output location; ``job`` is empty if that may be over in this very moment."""

    def __init__(self, location: str, job: str, claimed: datetime, age: timedelta) -> None:
        self.location, self.job, self.claimed, self.age = location, job, claimed, age
        super().__init__(job)


class Reserving:
    """The work of one transaction.

    Args:
        wanted: what new jobs want to have, each with a name of its own.
    """

    def __init__(self, connection: Connection, wanted: Sequence[Reservation]) -> None:
        self._connection = connection
        self._wanted = wanted
        self._outcomes: dict[str, Reservation | Exception] = {}

    async def reserve(self, quotas: JobQuotas) -> list[Reservation | Exception]:
        """Reserve keys and output locations, for each job both or neither, and count the jobs.

        Returns:
            for each what was reserved; or, where its key is known, the name of that job, for which nothing is claimed; or why
            it cannot be had: :class:`Claimed`, a ``Conflict``, ``Unavailable`` or ``QuotaExceeded``.
        """
        await self._take_keys([one for one in self._wanted if one.key])
        for one in self._wanted:
            if one.retry_of and one.job not in self._outcomes:
                await self._check_no_retry_is_completed(one, one.retry_of)
        await self._take_claims(self._left())
        for org in sorted({one.org for one in self._left()}):
            jobs = [one.job for one in self._left() if one.org == org]
            refused = await quotas.count(self._connection, org, len(jobs))
            self._outcomes.update(zip(reversed(jobs), refused, strict=False))
        return [self._outcomes.get(one.job, one) for one in self._wanted]

    async def give_back(self) -> None:
        """Give back what was reserved for those that cannot have all, so that the rest can be committed."""
        refused = [job for job, outcome in self._outcomes.items() if isinstance(outcome, Exception)]
        if refused:
            await self._connection.execute("delete from output_claims where job = any($1::text[])", refused)
            await self._connection.execute("delete from idempotency_keys where job = any($1::text[])", refused)

    def _left(self) -> list[Reservation]:
        """Those that nothing stands in the way of so far."""
        return [one for one in self._wanted if one.job not in self._outcomes]

    async def _take_keys(self, keyed: Sequence[Reservation]) -> None:
        if not keyed:
            return
        given = [(one.org, one.key.key, one.key.body, one.job) for one in keyed if one.key]
        orgs, keys, bodies, jobs = map(list, zip(*given, strict=True))
        await self._connection.execute(_EXPIRE_KEYS, orgs, keys, KEY_HOURS)
        taken = {row["job"] for row in await self._connection.fetch(_TAKE_KEYS, orgs, keys, bodies, jobs)}
        if len(taken) == len(keyed):
            return
        known = {(row["org"], row["key"]): row for row in await self._connection.fetch(_KNOWN_KEYS, orgs, keys)}
        for one, (org, key, body, job) in zip(keyed, given, strict=True):
            if job in taken:
                continue
            row = known.get((org, key))
            if row is None:
                message = "The request that first used this Idempotency-Key has just been given up. Try again."
                self._outcomes[job] = Unavailable(message, 1)
            elif row["body"] != body:
                message = "This Idempotency-Key was used with another body before. Use a new key for a new request."
                self._outcomes[job] = Conflict(message)
            elif row["job"] in taken:
                # By a request beside this one, and nobody knows yet what comes of that.
                self._outcomes[job] = Claimed(one.location, "", datetime.min, timedelta())
            else:
                self._outcomes[job] = Reservation(org, row["job"], one.location, one.key, True, one.retry_of)

    async def _check_no_retry_is_completed(self, one: Reservation, retried: str) -> None:
        if done := await self._connection.fetchval(_COMPLETED_RETRY, one.org, retried):
            message = f"The job {done} is a retry of this job, and completed. Create a job to make its output again."
            self._outcomes[one.job] = Conflict(message)

    async def _take_claims(self, wanted: Sequence[Reservation]) -> None:
        if not wanted:
            return
        given = [(one.org, one.location, one.job) for one in wanted]
        orgs, locations, jobs = map(list, zip(*given, strict=True))
        taken = {row["job"] for row in await self._connection.fetch(_TAKE_CLAIMS, orgs, locations, jobs)}
        if len(taken) == len(wanted):
            return
        rows = await self._connection.fetch(_KNOWN_CLAIMS, orgs, locations)
        known = {(row["org"], row["location"]): row for row in rows}
        for org, location, job in given:
            if job not in taken:
                row = known.get((org, location))
                self._outcomes[job] = (
                    Claimed(location, row["job"], row["claimed"], row["age"])
                    if row
                    else Claimed(location, "", datetime.min, timedelta())
                )

"""Reserving for several new jobs in one transaction, of any organizations: each of them gets what it can have.

A transaction for each job would write to the disk as often, and those of one organization would do it one after the other, since
they are counted. So those that come at the same time share one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.api.contract.errors import Conflict, Unavailable
from services.api.database.pool import Connection
from services.api.intake.quotas import JobQuotas

KEY_HOURS = 24

# By their order, as all who lock several rows do, or they would wait for each other. This waits for another transaction that is
# inserting the same key. One whose time is over is as good as none.
_TAKE_KEYS = """
    insert into idempotency_keys as known (org, key, body, job)
    select * from unnest($1::text[], $2::text[], $3::bytea[], $4::text[]) order by 1, 2
    on conflict (org, key) do update set body = excluded.body, job = excluded.job, created = excluded.created
    where known.created < now() - make_interval(hours => $5)
    returning job
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
# The locks let no two transactions count an organization's jobs at the same time. Its other rows refer to it all the same.
_TAKE_CLAIMS = """
    with locked as materialized (
        select code from organizations where code = any($1::text[]) order by code for no key update
    )
    insert into output_claims (org, location, job)
    select * from unnest($1::text[], $2::text[], $3::text[]) where (select count(*) from locked) >= 0 order by 1, 2
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
        await self._take_keys([(one, one.key) for one in self._wanted if one.key])
        for one in self._wanted:
            if one.retry_of and one.job not in self._outcomes:
                await self._check_no_retry_is_completed(one, one.retry_of)
        await self._take_claims(self._left())
        jobs: dict[str, list[str]] = {}
        for one in self._left():
            jobs.setdefault(one.org, []).append(one.job)
        if jobs:
            refused = await quotas.count(self._connection, {org: len(names) for org, names in jobs.items()})
            for org, errors in refused.items():
                self._outcomes.update(zip(reversed(jobs[org]), errors, strict=False))
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

    async def _take_keys(self, keyed: Sequence[tuple[Reservation, IdempotencyKey]]) -> None:
        first: dict[tuple[str, str], Reservation] = {}
        for one, key in keyed:
            if first.setdefault((one.org, key.key), one) is not one:
                # Nobody knows yet what comes of the request with the same key.
                self._outcomes[one.job] = undecided(one.location)
        given = [(one.org, key.key, key.body, one.job) for one, key in keyed if one.job not in self._outcomes]
        if not given:
            return
        orgs, keys, bodies, jobs = map(list, zip(*given, strict=True))
        rows = await self._connection.fetch(_TAKE_KEYS, orgs, keys, bodies, jobs, KEY_HOURS)
        taken = {row["job"] for row in rows}
        if len(taken) == len(given):
            return
        known = {(row["org"], row["key"]): row for row in await self._connection.fetch(_KNOWN_KEYS, orgs, keys)}
        for org, name, body, job in given:
            if job in taken:
                continue
            row = known.get((org, name))
            if row is None:
                message = "The request that first used this Idempotency-Key has just been given up. Try again."
                self._outcomes[job] = Unavailable(message, 1)
            elif row["body"] != body:
                message = "This Idempotency-Key was used with another body before. Use a new key for a new request."
                self._outcomes[job] = Conflict(message)
            else:
                self._outcomes[job] = replace(first[org, name], job=row["job"], known=True)

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
        for one in wanted:
            if one.job not in taken:
                row = known.get((one.org, one.location))
                self._outcomes[one.job] = (
                    Claimed(one.location, row["job"], row["claimed"], row["age"]) if row else undecided(one.location)
                )


def undecided(location: str) -> Claimed:
    """Who has a place is about to be known: whoever wants it is to ask again."""
    return Claimed(location, "", datetime.min, timedelta())

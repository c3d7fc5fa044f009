"""Credentials and keys that were kept for a job which never came to be are removed, and what came after a job's end.

They are kept before the job is created, so that a job never lacks them. Where the creation then fails, or the process dies in
between, no event tells the janitor of them, and nothing but this finds them again.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.api.projection.tail import Tail, TailBroken
from shared.bus.joblog import JobLog
from shared.bus.subjects import job_subject
from shared.bus.topology import SECRETS_BUCKET
from shared.bus.vault import Vault
from shared.events import Completed, Created
from shared.logs import Repetition

AGE = timedelta(seconds=60)
"""How long after credentials were seen it is certain whether their job was created: many times what a request may take."""

JANITOR_AGE = timedelta(hours=2)
"""The same of a job with early playback that has ended without success: the janitor takes its playlists back with them first, and
waits for a storage that is out of order for half of that."""

_ROUND_SECONDS = 15.0
# A marker says that the entry was removed.
_MARKER = "KV-Operation"


class VaultSweep:
    """Goes through the vault in the order of its writes, and never twice over the same place.

    Args:
        ready: whether this process is to do it now.
        age: how long credentials without a job are left alone, from when they were first seen. By this process's own count,
            for clocks of hosts differ, and are set.
    """

    def __init__(
        self, client: Client, log: JobLog, vault: Vault, *, ready: Callable[[], bool], age: timedelta = AGE
    ) -> None:
        self._nc = client
        self._log = log
        self._vault = vault
        self._ready = ready
        self._age = age
        self._place = 0
        # When they are removed, on the monotonic clock.
        self._suspects: dict[tuple[str, str], float] = {}

    async def run(self) -> None:
        """Sweep until cancelled, whatever happens."""
        repetition = Repetition(60)
        while True:
            try:
                if self._ready():
                    await self.sweep()
            except (NatsError, TailBroken, TimeoutError) as error:
                if repetition.is_due():
                    await structlog.get_logger().awarning("vault not swept", error=repr(error))
            await asyncio.sleep(_ROUND_SECONDS)

    async def sweep(self) -> None:
        """One round, over what is new since the one before; what it finds is removed by a later one.

        Raises:
            nats.errors.Error, TimeoutError, TailBroken: the bus is out of reach; the next round goes on there.
        """
        # Once is not enough: a server of a cluster that has hung may answer for a moment by what it knew before.
        now = time.monotonic()
        for org, job in [key for key, due in self._suspects.items() if now >= due]:
            if await self._age_of(org, job) is not None:
                await self._vault.forget(org, job)
                await structlog.get_logger().ainfo("left-over credentials removed", organization=org, job=job)
            del self._suspects[org, job]
        tail = Tail(self._nc, f"KV_{SECRETS_BUCKET}")
        try:
            await tail.open(self._place)
            # What was removed meanwhile counts as pending and does not come.
            while tail.pending and (batch := await tail.next_batch(1.0)):
                for message in batch:
                    # $KV.<bucket>.<org>.<job>, and more behind it for its keys.
                    org, job = message.subject.split(".")[2:4]
                    if _MARKER not in (message.headers or {}) and (age := await self._age_of(org, job)) is not None:
                        self._suspects.setdefault((org, job), time.monotonic() + age.total_seconds())
                    self._place = message.metadata.sequence.stream
        finally:
            await tail.close()

    async def _age_of(self, org: str, job: str) -> timedelta | None:
        """How long credentials are left alone that are left over; None where they are not."""
        created = await self._log.last(job_subject(org, job, Created.subject))
        if created is None:
            return self._age
        end = await self._log.end_of(org, job)
        if end is None:
            return None
        early = isinstance(created.event, Created) and created.event.early_playback
        return max(self._age, JANITOR_AGE) if early and not isinstance(end.event, Completed) else self._age

"""What has become of a message's earlier deliveries, counted where all workers see it.

The server counts deliveries, and a delivery says nothing of why there was another before it: work that failed, a worker
that was told to stop, a bus that was away. Only failures may use up tries, so they are counted here, in a bucket with an
entry for each message that something befell. Work that goes well writes nothing.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue
from pydantic import BaseModel, ConfigDict

from shared.attempt import Attempt, Waited
from shared.bus.errors import bus_calls
from shared.bus.topology import ATTEMPTS_BUCKET
from shared.waiting import Wait

Kind = Literal["transient", "bug", "handed_back", "lease_lost", "bus_unavailable"]
"""How a delivery ended that did not settle its message."""


class Attempts(BaseModel):
    """The ends of a message's deliveries so far, as far as they were reported.

    Attributes:
        subject: tells whose they are.
        alone: how many times it was begun as a suspect, with nothing beside it.
        forgiven: deliveries that nobody told of and that are not held against the work any more.
        waits: the outages that its work waits for, by error code.
        failures: how many deliveries failed for each error code; in counts of version 0.1 there are none.
    """

    model_config = ConfigDict(frozen=True)
    subject: str
    ends: Mapping[Kind, int] = {}
    alone: int = 0
    forgiven: int = 0
    waits: Mapping[str, Wait] = {}
    failures: Mapping[str, int] = {}

    def of(self, kind: Kind) -> int:
        """How many deliveries ended so."""
        return self.ends.get(kind, 0)

    @property
    def reported(self) -> int:
        """How many deliveries ended in any way that somebody told of, or are forgiven; the others took their worker with them."""
        return sum(self.ends.values()) + self.forgiven

    def counting(self, kind: Kind, code: str = "") -> "Attempts":
        """With one more. ``code``: what a failure was."""
        failures = {**self.failures, code: self.failures.get(code, 0) + 1} if code else self.failures
        return self.model_copy(update={"ends": {**self.ends, kind: self.of(kind) + 1}, "failures": failures})

    def next(self, worker: str, *, began: datetime, silent: int = 0) -> Attempt:
        """The attempt that now begins.

        Args:
            silent: deliveries before it that nobody has told of.
        """
        failed = self.of("transient") + self.of("bug") + self.of("lease_lost") + max(0, silent)
        waited = tuple(Waited(code=code, since=wait.since, last=wait.last) for code, wait in self.waits.items())
        return Attempt(
            worker=worker,
            began=began,
            number=1 + failed,
            put_off=self.of("handed_back"),
            failures=self.failures,
            waited=waited,
        )

    def waiting(self, code: str, now: datetime, *, deliveries: int) -> "Attempts":
        """With one more delivery that ended in an outage.

        Its worker has lived to tell of it, so that those that died before are forgiven: a suspect would have a process for
        itself at every try of an hour.

        Args:
            deliveries: how many there were, this one included.
        """
        known, told = self.waits.get(code) or Wait(since=now, last=now), self.counting("handed_back")
        return told.model_copy(
            update={
                "waits": {**self.waits, code: known.failed_again(now)},
                "forgiven": self.forgiven + max(0, deliveries - told.reported),
            }
        )

    def without(self, codes: Callable[[str], bool]) -> "Attempts":
        """With some outages over."""
        return self.model_copy(update={"waits": {code: wait for code, wait in self.waits.items() if not codes(code)}})


class AttemptBook:
    """The counts of all messages."""

    def __init__(self, client: Client) -> None:
        self._js = client.jetstream(timeout=5)
        self._opened: KeyValue | None = None

    @bus_calls()
    async def of(self, message: Msg) -> Attempts:
        """What is known of a message.

        Raises:
            BusUnavailable: the bus is in the way, here and below.
        """
        return (await self._read(message))[1]

    async def count(self, message: Msg, kind: Kind, code: str = "") -> Attempts:
        """Add the end of a delivery. ``code``: what a failure was.

        Returns:
            the counts with it.
        """
        return await self.change(message, lambda known: known.counting(kind, code))

    @bus_calls(10)
    async def count_alone(self, message: Msg) -> None:
        """Add that a suspect begins."""
        await self.change(message, lambda known: known.model_copy(update={"alone": known.alone + 1}))

    @bus_calls(10)
    async def change(self, message: Msg, change: Callable[[Attempts], Attempts]) -> Attempts:
        """Replace what is known of a message; returns what replaces it."""
        bucket = await self._bucket()
        while True:
            revision, known = await self._read(message)
            changed = change(known)
            try:
                await bucket.update(_key(message), changed.model_dump_json().encode(), last=revision)
            except KeyWrongLastSequenceError:
                # Another worker, that lost its lease on the same message, has told of it in the same moment.
                continue
            return changed

    @bus_calls()
    async def forget(self, message: Msg) -> Attempts:
        """The message is settled; returns what was known of it."""
        known = (await self._read(message))[1]
        if known.reported or known.alone:
            await (await self._bucket()).purge(_key(message))
        return known

    async def _read(self, message: Msg) -> tuple[int, Attempts]:
        nothing = Attempts(subject=message.subject)
        try:
            entry = await (await self._bucket()).get(_key(message))
        except KeyNotFoundError as missing:
            return (missing.entry.revision or 0 if missing.entry else 0), nothing
        known = Attempts.model_validate_json(entry.value or b"")
        # A stream that was made anew counts from 1 again; what was counted before is of another message.
        return entry.revision or 0, known if known.subject == message.subject else nothing

    async def _bucket(self) -> KeyValue:
        if self._opened is None:
            self._opened = await self._js.key_value(ATTEMPTS_BUCKET)
        return self._opened


def _key(message: Msg) -> str:
    return f"{message.metadata.consumer}.{message.metadata.sequence.stream}"

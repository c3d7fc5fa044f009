"""Dead letters: what services have given up on. They are listed, replayed once the cause is mended, and dropped."""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NotFoundError

from shared.bus.errors import bus_calls
from shared.bus.topology import DEAD

_ANY = "*"
# What the server says of a message that was removed, and of one that never was.
_NO_SUCH_MESSAGE = (10037, 10043, 10057)
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class DeadLetter:
    """A message that a service has given up on.

    Attributes:
        number: its place in the stream of dead letters.
        service: which one. subject: of the message. body: what was in it.
        reason: the error code with what exactly happened.
    """

    number: int
    at: datetime | None
    service: str
    org: str
    job: str
    subject: str
    reason: str
    body: bytes


@dataclass(frozen=True)
class Wanted:
    """Which dead letters are meant; None for any."""

    job: str | None = None
    org: str | None = None
    service: str | None = None

    @property
    def subject(self) -> str:
        """The filter over their subjects.

        Raises:
            ValueError: one of the names could not stand in a subject.
        """
        names = [self.service, self.org, self.job]
        for name in names:
            if name is not None and not _TOKEN.fullmatch(name):
                raise ValueError(f"{name} is no name")
        return ".".join(("dead", *(name or _ANY for name in names)))


class DeadLetters:
    """The stream of dead letters. All calls raise ``BusUnavailable`` while the bus is out of reach."""

    def __init__(self, client: Client) -> None:
        self._js: JetStreamContext = client.jetstream(timeout=5)

    @bus_calls()
    async def count(self) -> int:
        """How many there are."""
        return int((await self._js.stream_info(DEAD)).state.messages)

    @bus_calls()
    async def newest(self, wanted: Wanted, limit: int) -> list[DeadLetter]:
        """The newest of those that are wanted, newest first. Costs as many requests as letters fit."""
        found: deque[DeadLetter] = deque(maxlen=limit)
        after = 0
        while letter := await self._next(wanted.subject, after):
            found.append(letter)
            after = letter.number
        return list(reversed(found))

    @bus_calls()
    async def find(self, number: int) -> DeadLetter | None:
        """One of them."""
        try:
            return _letter(await self._js.get_msg(DEAD, number))
        except NotFoundError:
            return None

    @bus_calls()
    async def drop(self, letters: Sequence[DeadLetter]) -> int:
        """Remove some; returns how many were there still."""
        dropped = 0
        for letter in letters:
            try:
                dropped += await self._js.delete_msg(DEAD, letter.number)
            except APIError as error:
                # Somebody else was faster.
                if error.err_code not in _NO_SUCH_MESSAGE:
                    raise
        return dropped

    async def _next(self, subject: str, after: int) -> DeadLetter | None:
        try:
            return _letter(await self._js.get_msg(DEAD, after + 1, subject=subject, next=True))
        except NotFoundError:
            return None


def _letter(message: RawStreamMsg) -> DeadLetter:
    headers = message.headers or {}
    _, service, org, job = str(message.subject).split(".", 3)
    return DeadLetter(
        number=int(message.seq or 0),
        at=message.time,
        service=service,
        org=org,
        job=job,
        subject=headers.get("Millrace-Subject", ""),
        reason=headers.get("Millrace-Reason", ""),
        body=message.data or b"",
    )

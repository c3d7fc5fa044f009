"""A stream in memory that keeps the server's compare-and-set, for properties of who wins; the real one is for integration tests.

Every call waits its turn as the test decides, and an acknowledgement may get lost, before the message was stored or after.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import APIError, NotFoundError

Outcome = Literal["told", "stored and not told", "lost"]


@dataclass(frozen=True)
class Stored:
    """A message, with the members that the client's has."""

    subject: str
    seq: int
    data: bytes
    headers: dict[str, str]


class MemoryStream:
    """Takes the place of the client and of its JetStream context.

    Args:
        pause: how many turns of the event loop a call lets pass before it takes effect.
        outcome: what becomes of the next publish.
    """

    max_payload = 1 << 20

    def __init__(self, pause: Callable[[], int], outcome: Callable[[], Outcome]) -> None:
        self.messages: list[Stored] = []
        self._pause = pause
        self._outcome = outcome

    def jetstream(self, **_options: Any) -> "MemoryStream":
        """Itself."""
        return self

    async def get_last_msg(self, _stream: str, subject: str) -> Stored:
        """The last message of a subject or filter."""
        await self._turn()
        found = self._last(subject)
        if not found:
            raise NotFoundError
        return found

    async def publish(self, subject: str, data: bytes, *, headers: dict[str, str], **_options: Any) -> Stored:
        """Store a message, if the newest one of the filter is the expected one."""
        await self._turn()
        outcome = self._outcome()
        if outcome == "lost":
            raise NatsTimeoutError
        last = self._last(headers["Nats-Expected-Last-Subject-Sequence-Subject"])
        if (last.seq if last else 0) != int(headers["Nats-Expected-Last-Subject-Sequence"]):
            raise APIError(code=400, err_code=10071, description="wrong last sequence")
        stored = Stored(subject, len(self.messages) + 1, data, headers)
        self.messages.append(stored)
        await self._turn()
        if outcome != "told":
            raise NatsTimeoutError
        return stored

    def _last(self, subject: str) -> Stored | None:
        return next((message for message in reversed(self.messages) if _matches(subject, message.subject)), None)

    async def _turn(self) -> None:
        for _ in range(self._pause()):
            await asyncio.sleep(0)


def _matches(wanted: str, subject: str) -> bool:
    tokens, given = wanted.split("."), subject.split(".")
    if tokens[-1] == ">":
        tokens, given = tokens[:-1], given[: len(tokens) - 1]
    return len(tokens) == len(given) and all(one in ("*", other) for one, other in zip(tokens, given, strict=True))

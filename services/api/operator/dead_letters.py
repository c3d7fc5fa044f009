"""Dead letters: what services have given up on. They are listed, replayed once the cause is mended, and dropped."""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import APIError, NotFoundError

from shared.bus.direct import direct_get
from shared.bus.errors import bus_calls
from shared.bus.topology import DEAD

_ANY = "*"
_SECONDS = 5.0
# Messages that are asked for at once.
_WINDOW = 256
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
        self._nc = client
        self._js: JetStreamContext = client.jetstream(timeout=_SECONDS)

    @bus_calls()
    async def count(self, wanted: Wanted | None = None) -> int:
        """How many of those that are wanted there are."""
        if wanted is None or wanted == Wanted():
            return int((await self._js.stream_info(DEAD)).state.messages)
        subjects = (await self._js.stream_info(DEAD, subjects_filter=wanted.subject)).state.subjects or {}
        return sum(subjects.values())

    @bus_calls()
    async def newest(self, wanted: Wanted, limit: int, skip: int = 0) -> list[DeadLetter]:
        """The newest of those that are wanted, newest first, without the first ``skip`` of them.

        Without a filter they are read from the end of the stream in windows, each with one request, as far as it takes. With one
        the server finds those that fit, from the beginning.
        """
        state = (await self._js.stream_info(DEAD)).state
        found: list[DeadLetter] = []
        last = state.last_seq
        window = _WINDOW if wanted == Wanted() else max(1, last)
        while last >= state.first_seq and len(found) < skip + limit:
            first = max(state.first_seq, last - window + 1)
            found += reversed(await self._between(wanted.subject, first, last, skip + limit))
            last = first - 1
        return found[skip : skip + limit]

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

    async def _between(self, subject: str, first: int, last: int, most: int) -> Sequence[DeadLetter]:
        """The last ones of a stretch of the stream, oldest first."""
        found: deque[DeadLetter] = deque(maxlen=most)
        while first <= last:
            request = {"seq": first, "batch": _WINDOW, "next_by_subj": subject}
            messages, end = await direct_get(self._nc, DEAD, request, seconds=_SECONDS)
            letters = [_direct_letter(message) for message in messages]
            found.extend(letter for letter in letters if letter.number <= last)
            # What is left behind is told, whether the answer was full or had as many bytes as a client may have waiting.
            if not letters or end.get("Nats-Num-Pending", "0") == "0":
                break
            first = letters[-1].number + 1
        return found


def _direct_letter(message: Msg) -> DeadLetter:
    headers = message.headers or {}
    at = datetime.fromisoformat(headers["Nats-Time-Stamp"])
    return _made(int(headers["Nats-Sequence"]), at, headers["Nats-Subject"], headers, message.data)


def _letter(message: RawStreamMsg) -> DeadLetter:
    headers = message.headers or {}
    return _made(int(message.seq or 0), message.time, str(message.subject), headers, message.data or b"")


def _made(number: int, at: datetime | None, subject: str, headers: Mapping[str, str], body: bytes) -> DeadLetter:
    _, service, org, job = subject.split(".", 3)
    return DeadLetter(
        number=number,
        at=at,
        service=service,
        org=org,
        job=job,
        subject=headers.get("Millrace-Subject", ""),
        reason=headers.get("Millrace-Reason", ""),
        body=body,
    )

"""Events of the past for bus users, who have no access to JetStream: a request brings a bounded batch from a position on.

A request costs a bounded read of the log, and leaves nothing behind. Each organization has a few at a time, and so many a
minute; whoever floods this with requests nonetheless is disconnected.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from services.api.accounts.request_rate import RequestRate
from services.api.contract.errors import QuotaExceeded
from shared.bus.direct import direct_get
from shared.bus.permissions import bus_user_inbox
from shared.bus.subjects import organization_subject, replay_subject
from shared.bus.topology import JOBS
from shared.tasks import end_tasks

MOST_EVENTS = 256
MOST_BYTES = 256 * 1024
"""Of one answer; a single event may be larger, and then comes alone."""
REQUESTS_A_MINUTE = 600
FLOOD_A_MINUTE = 6_000
"""Requests, those that are refused included, for which an organization is disconnected."""
MOST_REQUEST_BYTES = 1024
"""A request has some thirty bytes. One that is larger counts as many."""
_MOST_OF_ONE = 4
_MOST_WAITING = 256
_MOST_READ = 4
# Requests that have arrived and were not looked at: of a flood, more are dropped, for others stand behind it.
_MOST_UNREAD = 2_000
_READ_SECONDS = 5.0
_LAG_PAUSE = 0.05
_QUEUE = "replay"
_WRONG = 'Send JSON such as {"after": 0}: the sequence of the last event that you have.'
_BUSY = "Too many replays at a time. Try again."
_UNAVAILABLE = "The log cannot be read now. Try again."


class Replays:
    """Answers requests on ``feed.replay.<org>``; of several processes, one answers each.

    Args:
        on_flood: called with an organization that sends requests without end.
    """

    def __init__(self, client: Client, *, on_flood: Callable[[str], None]) -> None:
        self._nc = client
        self._js = client.jetstream(timeout=_READ_SECONDS)
        self._on_flood = on_flood
        self._rate = RequestRate(REQUESTS_A_MINUTE)
        self._patience = RequestRate(FLOOD_A_MINUTE)
        self._waiting: Counter[str] = Counter()
        self._turns = asyncio.Semaphore(_MOST_READ)
        self._answering: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Begin to answer. May be repeated after a failure."""
        if self._subscription is None:
            self._subscription = await self._nc.subscribe(
                replay_subject("*"), queue=_QUEUE, cb=self._asked, pending_msgs_limit=_MOST_UNREAD
            )

    async def stop(self) -> None:
        """Answer no more."""
        await end_tasks(*self._answering)

    async def _asked(self, message: Msg) -> None:
        # The client calls again at once while there is more, and a flood would have the event loop for itself.
        await asyncio.sleep(0)
        org = message.subject.rpartition(".")[2]
        # Only users of this organization may publish here. The reply goes out with the rights of the api, so that it must lead
        # to one of them.
        if not message.reply.startswith(bus_user_inbox(f"{org}-")):
            return
        try:
            for _ in range(1 + len(message.data) // MOST_REQUEST_BYTES):
                self._patience.count(org, None)
        except QuotaExceeded:
            # An answer would cost more than the request.
            self._on_flood(org)
            return
        try:
            self._rate.count(org, None)
        except QuotaExceeded as exceeded:
            await self._send(message, {"error": exceeded.body["detail"], "retry_after": exceeded.retry_after})
            return
        if self._waiting[org] >= _MOST_OF_ONE or len(self._answering) >= _MOST_WAITING:
            await self._send(message, {"error": _BUSY, "retry_after": 1})
            return
        self._waiting[org] += 1
        task = asyncio.create_task(self._answer(message, org))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, message: Msg, org: str) -> None:
        try:
            after = position_in(message.data)
            async with self._turns:
                answer: bytes | dict[str, Any] = await self._batch(org, after)
        except ValueError:
            answer = {"error": _WRONG}
        except (NatsError, TimeoutError) as error:
            await structlog.get_logger().awarning("replay failed", organization=org, error=repr(error))
            answer = {"error": _UNAVAILABLE, "retry_after": 1}
        finally:
            self._waiting[org] -= 1
            if not self._waiting[org]:
                del self._waiting[org]
        await self._send(message, answer)

    async def _send(self, message: Msg, answer: bytes | dict[str, Any]) -> None:
        try:
            await message.respond(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
        except NatsError:
            # Whoever asked asks again.
            return

    async def _batch(self, org: str, after: int) -> bytes:
        """The events of an organization after a position.

        Raises:
            nats.errors.Error, TimeoutError: the log cannot be read.
        """
        whole = organization_subject(org)
        async with asyncio.timeout(_READ_SECONDS):
            while True:
                head = await self._head(whole)
                if head <= after:
                    return _encoded([], after, more=False)
                request = {"seq": after + 1, "next_by_subj": whole, "batch": MOST_EVENTS, "max_bytes": MOST_BYTES}
                messages, end = await direct_get(self._nc, JOBS, request, seconds=_READ_SECONDS)
                pending = int(end.get("Nats-Num-Pending", 0))
                if messages and (pending or _sequence(messages[-1]) >= head):
                    # Hundreds of events take longer than an event loop should stand still.
                    return await asyncio.to_thread(pack, messages, after, more=pending > 0)
                # A copy of the log that lags: what it lacks may have been published before the subscriber listened.
                await asyncio.sleep(_LAG_PAUSE)

    async def _head(self, whole: str) -> int:
        try:
            return int((await self._js.get_last_msg(JOBS, whole)).seq or 0)
        except NotFoundError:
            return 0


def position_in(data: bytes) -> int:
    """The position that is asked for.

    Raises:
        ValueError: the request is none.
    """
    if len(data) > MOST_REQUEST_BYTES:
        raise ValueError("too large")
    asked = json.loads(data) if data else {}
    after = asked.get("after", 0) if isinstance(asked, dict) else None
    # More than any stream holds would be refused by the server in its own words.
    if type(after) is not int or not 0 <= after < 2**53:
        raise ValueError("no position")
    return after


def pack(messages: Sequence[Msg], after: int, *, more: bool) -> bytes:
    """As many of the messages as one answer holds, one at least. What is no JSON was put there by nobody of Millrace."""
    events: list[bytes] = []
    last, size = after, 0
    for message in messages:
        if events and size + len(message.data) > MOST_BYTES:
            return _encoded(events, last, more=True)
        last = _sequence(message)
        try:
            json.loads(message.data)
        except ValueError:
            continue
        events.append(b'{"sequence":%d,"event":%s}' % (last, message.data))
        size += len(message.data)
    return _encoded(events, last, more=more)


def _encoded(events: Sequence[bytes], last: int, *, more: bool) -> bytes:
    # Events are taken over as they stand in the log, to the byte.
    return b'{"events":[%s],"last":%d,"more":%s}' % (b",".join(events), last, b"true" if more else b"false")


def _sequence(message: Msg) -> int:
    return int((message.headers or {})["Nats-Sequence"])

"""Projectors: each follows one stream and brings it into Postgres, batch by batch, together with how far it has got."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import asyncpg
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import StreamInfo

from services.api.database.pool import Connection
from services.api.projection.projection import RecordedDelivery, load_offset, save_offset
from services.api.projection.tail import Tail, TailBroken
from shared.bus.errors import BusUnavailable
from shared.bus.parsing import REPEATS, parse_message, report_unreadable
from shared.deliveries import DeliveryAttempted
from shared.events import Recorded
from shared.logs import Repetition

Apply = Callable[[Connection, Sequence[Msg]], Awaitable[Callable[[], None] | None]]
"""Brings messages into the tables, inside a transaction of its caller's; returns what to call once that is committed."""

_RETRY_SECONDS = 0.5
# A batch costs about as much as ten messages. So one does not begin right after another: what comes meanwhile goes into it.
_PACE_SECONDS = 0.01
_LOST_SECONDS = 10.0
# In a cluster a server may answer that has just become the leader, or was it before it hung: it is about to learn of the rest.
_LOOKS, _LOOK_SECONDS = 5, 1.0
# What Postgres refuses for what it says, and would refuse each time it comes.
_BAD_DATA = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


class LogLost(Exception):
    """The stream ends before the place that was read up to: it was lost, or restored from an older copy."""


class Projector:
    """Follows one stream.

    Args:
        connection: held by its owner's lock on Postgres, which is how there is only one projector.
        turn: who may use the connection now.

    Attributes:
        stream: its name.
        offset: sequence of the last message that is in Postgres.
        caught_up: there was nothing more to read when the last batch was delivered.
        lost: the stream is shorter than what was read of it; only a rebuild gets over this.
    """

    def __init__(self, client: Client, stream: str, apply: Apply, connection: Connection, turn: asyncio.Lock) -> None:
        self._nc = client
        self._js = client.jetstream(timeout=5)
        self.stream = stream
        self._apply = apply
        self._connection = connection
        self._turn = turn
        self._log = structlog.get_logger().bind(stream=stream)
        self.offset = 0
        self.caught_up = False
        self.lost = False

    async def run(self) -> None:
        """Follow the stream until cancelled, through every trouble with the bus.

        Raises:
            asyncpg.PostgresError, asyncpg.InterfaceError, OSError: the connection to Postgres is gone.
        """
        async with self._turn:
            self.offset = await load_offset(self._connection, self.stream)
        repetition = Repetition()
        while True:
            self.caught_up = False
            try:
                await self._follow()
            except LogLost as error:
                await self._log.acritical(
                    "the log is shorter than the projection of it: run the rebuild", error=str(error)
                )
                await asyncio.sleep(_LOST_SECONDS)
            except (NatsError, TailBroken, TimeoutError) as error:
                if repetition.is_due():
                    await self._log.awarning("projection interrupted", error=repr(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def check_stream(self) -> int:
        """Sequence of the stream's last message.

        Raises:
            LogLost: it is smaller than the offset.
            nats.errors.Error, TimeoutError: the bus is out of reach.
        """
        offset, looks = self.offset, 0
        while True:
            info = await self._js.stream_info(self.stream)
            last, looks = int(info.state.last_seq), looks + 1
            if last >= offset or info.config.num_replicas == 1 or looks == _LOOKS:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        if last < offset and not _is_sure(info):
            raise BusUnavailable(f"nobody who is sure says where the stream {self.stream} ends")
        self.lost = last < offset
        if self.lost:
            raise LogLost(f"the stream {self.stream} ends at {last}, but was read up to {offset}")
        return last

    async def replay(self, until: int) -> int:
        """Bring in what stands between the offset and a sequence, and return.

        Returns:
            how many messages that were.

        Raises:
            nats.errors.Error, TimeoutError, TailBroken: the bus is out of reach.
        """
        count = 0
        tail = Tail(self._nc, self.stream)
        try:
            await tail.open(self.offset)
            while self.offset < until and tail.pending:
                batch = await tail.next_batch(1.0)
                wanted = [message for message in batch if sequence_of(message) <= until]
                await self._take(wanted)
                count += len(wanted)
                if len(wanted) < len(batch):
                    break
        finally:
            await tail.close()
        return count

    async def _follow(self) -> None:
        tail = Tail(self._nc, self.stream)
        try:
            # First, because a consumer that begins beyond the end would wait there in silence.
            await self.check_stream()
            await tail.open(self.offset)
            self.caught_up = tail.pending == 0
            clock = asyncio.get_running_loop().time
            while True:
                due = clock() + _PACE_SECONDS
                batch = await tail.next_batch(1.0)
                if self.lost:
                    raise LogLost("noticed while following")
                await self._take(batch)
                self.caught_up = tail.pending == 0
                if self.caught_up and (early := due - clock()) > 0:
                    await asyncio.sleep(early)
        finally:
            await tail.close()

    async def _take(self, batch: Sequence[Msg]) -> None:
        if not batch:
            return
        async with self._turn:
            try:
                await self._project(batch)
            except _BAD_DATA:
                for message in batch:
                    await self._project_alone(message)
            # Before anybody else has his turn: who then looks into the tables knows how far they go.
            self.offset = sequence_of(batch[-1])

    async def _project(self, batch: Sequence[Msg]) -> None:
        async with self._connection.transaction():
            committed = await self._apply(self._connection, batch)
            await save_offset(self._connection, self.stream, sequence_of(batch[-1]))
        if committed:
            committed()

    async def _project_alone(self, message: Msg) -> None:
        try:
            await self._project([message])
        except _BAD_DATA as error:
            sequence = sequence_of(message)
            await self._log.aerror("message left out", sequence=sequence, subject=message.subject, error=repr(error))
            await save_offset(self._connection, self.stream, sequence)


def _is_sure(info: StreamInfo) -> bool:
    """Whether it was a stream's leader that has answered, with most of the copies in step. Without one, any copy answers."""
    if info.cluster is None:
        return True
    copies = info.cluster.replicas or []
    in_step = 1 + sum(bool(copy.current) for copy in copies)
    return bool(info.cluster.leader) and 2 * in_step > 1 + len(copies)


def sequence_of(message: Msg) -> int:
    """A message's place in its stream."""
    return message.metadata.sequence.stream


def events_in(messages: Sequence[Msg]) -> list[Recorded]:
    """The job events of messages; what is none is logged and left out, and what repeats an earlier one counts once."""
    events = []
    for message in messages:
        if REPEATS in (message.headers or {}):
            continue
        try:
            events.append(Recorded(sequence_of(message), parse_message(message.subject, message.data)))
        except ValueError as error:
            report_unreadable(message.subject, sequence_of(message), error)
    return events


def deliveries_in(messages: Sequence[Msg]) -> list[RecordedDelivery]:
    """The facts about deliveries in messages; what is none is logged and left out."""
    deliveries = []
    for message in messages:
        try:
            delivery = DeliveryAttempted.model_validate_json(message.data)
            if delivery.subject != message.subject:
                raise ValueError(f"a delivery of {delivery.subject}")
            deliveries.append(RecordedDelivery(sequence_of(message), UUID(delivery.hook), delivery))
        except ValueError as error:
            report_unreadable(message.subject, sequence_of(message), error)
    return deliveries

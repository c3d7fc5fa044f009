"""Reading all entries of a key-value bucket, without a trace on the server."""

from collections.abc import AsyncIterator

from nats.aio.client import Client
from nats.aio.msg import Msg

from services.api.projection.tail import Tail, TailBroken
from shared.bus.errors import BusUnavailable, bus_calls

REMOVED = "KV-Operation"
"""Header of a message that says that the entry was removed."""

_SILENCE_SECONDS = 1.0


async def bucket_entries(client: Client, bucket: str, after: int = 0) -> AsyncIterator[tuple[str, bytes]]:
    """Keys and values of a bucket, in the order in which they were written.

    Args:
        after: only what was written after this place of the bucket's stream.

    Raises:
        BusUnavailable: the bus is out of reach.
    """
    async for key, message in bucket_messages(client, bucket, after):
        yield key, message.data


async def bucket_messages(client: Client, bucket: str, after: int = 0) -> AsyncIterator[tuple[str, Msg]]:
    """The same with the messages of the bucket's stream, which tell when the bus has stored them."""
    tail = Tail(client, f"KV_{bucket}")
    try:
        async with bus_calls():
            await tail.open(after)
        # What was removed meanwhile counts as pending and does not come.
        while tail.pending:
            async with bus_calls():
                batch = await tail.next_batch(_SILENCE_SECONDS)
            if not batch:
                return
            for message in batch:
                if REMOVED not in (message.headers or {}):
                    yield message.subject.removeprefix(f"$KV.{bucket}."), message
    except TailBroken as error:
        raise BusUnavailable(str(error)) from error
    finally:
        await tail.close()

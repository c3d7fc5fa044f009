"""What time it is by the clock of the bus, which all that is stored there is dated by."""

import json
from datetime import datetime

from nats.aio.client import Client

from shared.bus.errors import BusUnavailable, bus_calls

_SECONDS = 2.0


@bus_calls()
async def bus_time(client: Client, bucket: str) -> datetime:
    """The instant at the server that leads a bucket's stream.

    Raises:
        BusUnavailable: the bus is out of reach.
    """
    answer = await client.request(f"$JS.API.STREAM.INFO.KV_{bucket}", timeout=_SECONDS)
    try:
        return datetime.fromisoformat(json.loads(answer.data)["ts"])
    except (ValueError, KeyError, TypeError) as error:
        # A server that has just started may have no leader for the stream.
        raise BusUnavailable("the bus does not tell the time") from error

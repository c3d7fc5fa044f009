"""The server's direct API: many messages of a stream with one request."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import APIError


async def direct_get(
    client: Client, stream: str, request: Mapping[str, Any], *, seconds: float
) -> tuple[list[Msg], Mapping[str, str]]:
    """Messages of a stream, and the headers that end the answer. Any copy of the stream may answer, also one that lags.

    Args:
        request: as the server has it: ``batch`` with ``multi_last``, or with ``seq`` and ``next_by_subj``.
        seconds: how long the answer is waited for.

    Raises:
        APIError, TimeoutError: no answer, or a refusal. That nothing matches is none.
    """
    messages: list[Msg] = []
    done: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()

    async def receive(message: Msg) -> None:
        headers = message.headers or {}
        if "Status" not in headers:
            messages.append(message)
        elif not done.done():
            done.set_result(headers)

    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=receive)
    try:
        await client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(request).encode(), reply=inbox)
        async with asyncio.timeout(seconds):
            end = await done
    finally:
        await subscription.unsubscribe()
    status = end["Status"]
    if status == "204" or (status == "404" and not messages):
        return messages, end
    raise APIError(code=int(status), description=end.get("Description"))

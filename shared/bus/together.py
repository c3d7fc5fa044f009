"""Publishing several messages of one stream at once: the server stores all of them, or none.

This is JetStream's atomic batch: the messages wait at the server until the last one commits them, and one that nobody commits
within some seconds is forgotten. Conditions on the stream hold for each message, and are looked at with the commit.
"""

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError

MOST_TOGETHER = 1000
"""As many as the server takes in one batch."""

_WORTH_A_BATCH = 12
"""From so many on a batch is cheaper than as many messages side by side: measured on a server that writes to the disk at once, to
which a batch of two costs as much time as seven messages, and one of a hundred as much as eleven."""
_BATCH, _SEQUENCE, _COMMIT = "Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit"


@dataclass(frozen=True)
class Together:
    """One of the messages."""

    subject: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


async def publish_together(client: Client, messages: Sequence[Together], *, seconds: float) -> int:
    """Publish messages, and return when the server has stored them one after the other.

    Args:
        seconds: that an answer may take.

    Returns:
        the sequence of the first one.

    Raises:
        APIError: the server has stored none of them, and says why.
        nats.errors.Error, TimeoutError: it is unknown whether they are stored; it is the same for all.
    """
    batch, last = secrets.token_hex(8), len(messages)
    if last == 1:
        return int((await _asked(client, messages[0], {}, seconds))["seq"])
    stored: dict[str, Any] = {}
    for number, message in enumerate(messages, start=1):
        headers = {_BATCH: batch, _SEQUENCE: str(number)}
        if 1 < number < last:
            await client.publish(message.subject, message.body, headers={**message.headers, **headers})
            continue
        if number == last:
            headers[_COMMIT] = "1"
        # The answer to the first says whether the server takes batches, that to the last whether it has stored this one.
        stored = await _asked(client, message, headers, seconds)
    return int(stored["seq"]) - last + 1


async def publish_each(client: Client, messages: Sequence[Together], *, seconds: float) -> list[int | Exception]:
    """Publish messages that have nothing to do with each other as cheaply as it goes, and return when the server has answered.

    Args:
        seconds: that an answer may take.

    Returns:
        of each the sequence, or the error: an ``APIError`` where the server has refused it, any other where it is unknown
        whether it is stored.
    """
    if len(messages) >= _WORTH_A_BATCH:
        try:
            first = await publish_together(client, messages, seconds=seconds)
            return list(range(first, first + len(messages)))
        except APIError:
            # None is stored, because one of them cannot be: each shall hear for itself.
            pass
        except (NatsError, TimeoutError, OSError) as error:
            return [error] * len(messages)
    done = await asyncio.gather(
        *(publish_together(client, [message], seconds=seconds) for message in messages), return_exceptions=True
    )
    return [_unless_cancelled(one) for one in done]


def _unless_cancelled(outcome: int | BaseException) -> int | Exception:
    if isinstance(outcome, int | Exception):
        return outcome
    raise outcome


async def _asked(client: Client, message: Together, more: Mapping[str, str], seconds: float) -> dict[str, Any]:
    headers = {**message.headers, **more}
    answer = await client.request(message.subject, message.body, timeout=seconds, headers=headers or None)
    found: dict[str, Any] = json.loads(answer.data) if answer.data else {}
    if "error" in found:
        raise APIError(**found["error"])
    return found

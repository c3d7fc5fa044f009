"""Publishing several messages of one stream at once: the server stores all of them, or none.

This is JetStream's atomic batch: the messages wait at the server until the last one commits them, and one that nobody commits
within some seconds is forgotten. Conditions on the stream hold for each message, and are looked at with the commit.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nats.aio.client import Client
from nats.js.errors import APIError

MOST_TOGETHER = 1000
"""As many as the server takes in one batch."""

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
    stored: dict[str, int] = {}
    for number, message in enumerate(messages, start=1):
        headers = {**message.headers, _BATCH: batch, _SEQUENCE: str(number)}
        if 1 < number < last:
            await client.publish(message.subject, message.body, headers=headers)
            continue
        if number == last:
            headers[_COMMIT] = "1"
        # The answer to the first says whether the server takes batches, that to the last whether it has stored this one.
        answer = await client.request(message.subject, message.body, timeout=seconds, headers=headers)
        found = json.loads(answer.data) if answer.data else {}
        if "error" in found:
            raise APIError(**found["error"])
        stored = found
    return stored["seq"] - last + 1

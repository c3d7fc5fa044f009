"""A service as the version before wrote and read the log: ``python -m tests.support.earlier services.fetcher``.

What it publishes lacks the members of events that have come since, and of what it reads it does not see them. Its code is that
of today otherwise, so this is about mixed schemas and needs no other version; ``make rolling`` is about two versions.
"""

import json
import runpy
import sys
from typing import Any

from nats.aio.client import Client
from nats.js.api import RawStreamMsg
from nats.js.manager import JetStreamManager

SINCE = {
    "created": ("retry_of",),
    "admitted": ("weight",),
    "part_requested": ("work", "left", "priority", "weight"),
    "part_transcoded": ("weight",),
    "part_uploaded": ("uploaded",),
}
"""Members of events that version 0.1 did not have, by type."""


def without_new_members(data: bytes) -> bytes:
    """An event as the version before has it; anything else as it is."""
    if not any(b'"type":"%b"' % kind.encode() in data for kind in SINCE):
        return data
    event = json.loads(data)
    left_out = SINCE.get(event.get("type"), ())
    return json.dumps(
        {key: value for key, value in event.items() if key not in left_out}, separators=(",", ":")
    ).encode()


def _patch() -> None:
    send, receive, last = Client._send_publish, Client._process_msg, JetStreamManager.get_last_msg

    async def send_earlier(
        self: Client, subject: str, reply: str, payload: bytes, payload_size: int, headers: dict[str, Any] | None
    ) -> None:
        shortened = without_new_members(payload)
        await send(self, subject, reply, shortened, payload_size - len(payload) + len(shortened), headers)

    async def receive_earlier(
        self: Client, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        await receive(self, sid, subject, reply, without_new_members(data), headers)

    async def last_earlier(self: JetStreamManager, *arguments: Any, **named: Any) -> RawStreamMsg:
        message = await last(self, *arguments, **named)
        message.data = without_new_members(message.data or b"")
        return message

    Client._send_publish = send_earlier  # type: ignore[method-assign]
    Client._process_msg = receive_earlier  # type: ignore[method-assign]
    JetStreamManager.get_last_msg = last_earlier  # type: ignore[method-assign]


if __name__ == "__main__":
    _patch()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

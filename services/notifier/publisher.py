"""What the notifier puts on the bus: attempts to make, now or at a time, and facts about attempts made."""

import secrets
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import NoStreamResponseError

from services.notifier.metrics import attempted
from shared.bus.errors import bus_calls
from shared.bus.topology import DELIVERIES, WEBHOOKS
from shared.deliveries import DeliveryAttempted, WebhookAttempt
from shared.tracing.spans import context_within, trace_headers

_TRIES = 3
_PUBLISH_TIMEOUT = 5.0
_MESSAGE_ID = "Nats-Msg-Id"


class Publisher:
    """Publishes to the streams WEBHOOKS and DELIVERIES. Each call returns when the server has stored the message.

    Raises:
        BusUnavailable: the bus is out of reach. All calls may be made again.
    """

    def __init__(self, client: Client) -> None:
        self._js = client.jetstream()

    async def put(self, attempt: WebhookAttempt) -> None:
        """Have an attempt made at once."""
        await self._publish(WEBHOOKS, attempt.subject, attempt.model_dump_json(), {_MESSAGE_ID: attempt.message_id})

    async def put_at(self, attempt: WebhookAttempt, when: datetime) -> None:
        """Have an attempt made at a time. An earlier time that was set for the same attempt is forgotten.

        No message id here: the server would take it over into the message that it makes, and drop that as a duplicate.
        """
        moment = when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        headers = {"Nats-Schedule": f"@at {moment}", "Nats-Schedule-Target": attempt.subject}
        await self._publish(WEBHOOKS, attempt.schedule_subject, attempt.model_dump_json(), headers)

    @bus_calls()
    async def cancel(self, attempt: WebhookAttempt) -> None:
        """Forget the time that was set for an attempt, if there is one."""
        await self._js.purge_stream(WEBHOOKS, subject=attempt.schedule_subject)

    async def record(self, fact: DeliveryAttempted, *, once: bool = False) -> None:
        """Record what became of an attempt.

        Args:
            once: a repetition within the stream's two minutes is dropped; for facts that follow from the state of a queue
                and may be found twice, as after a crash.
        """
        mark = f"{fact.message_id}.{fact.outcome}" if once else secrets.token_hex(16)
        await self._publish(DELIVERIES, fact.subject, fact.model_dump_json(), {_MESSAGE_ID: mark})
        attempted(fact)

    @bus_calls()
    async def _publish(self, stream: str, subject: str, text: str, headers: dict[str, str]) -> None:
        # The server gives them to the message that it makes at its time, too.
        headers = headers | trace_headers(context_within())
        for left in reversed(range(_TRIES)):
            try:
                await self._js.publish(
                    subject, text.encode(), stream=stream, timeout=_PUBLISH_TIMEOUT, headers=dict(headers)
                )
            except (NatsTimeoutError, NoStreamResponseError):
                if not left:
                    raise
                continue
            return

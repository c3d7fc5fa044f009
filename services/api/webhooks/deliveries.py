"""Deliveries to a webhook: listed, looked at, sent again, and sent to try it."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nats.aio.client import Client

from services.api.contract.errors import NotFound
from services.api.contract.listing import DeliveryFilter, Window
from services.api.contract.responses import Delivery, DeliveryDetail, Redelivery
from services.api.database.pool import Database
from services.api.webhooks.webhooks import hook_row
from shared.bus.joblog import JobLog
from shared.bus.subjects import job_subject
from shared.bus.topology import WEBHOOKS
from shared.deliveries import ResponseHead, WebhookAttempt
from shared.ids import new_job_id
from shared.job import TOLD_AFTER, Told
from shared.payload import json_text, timestamp
from shared.tracing.spans import context_within, trace_headers
from shared.webhook_body import job_at, sample_job, webhook_body

_BROUGHT_BY = {status: event for event, status in TOLD_AFTER.items()}
_COLUMNS = (
    "sequence as id, job, status, attempt, at, outcome, response_status, error, duration_ms, next_attempt_at, message_id,"
    " test"
)


@dataclass(frozen=True)
class Slice:
    """Part of a list: the items as JSON text, and how many there are in all."""

    count: int
    items: list[str]


class Deliveries:
    """The deliveries to all webhooks."""

    def __init__(self, database: Database, client: Client, log: JobLog) -> None:
        self._database = database
        self._js = client.jetstream(timeout=5)
        self._log = log

    async def page(self, org: str, hook: UUID, wanted: DeliveryFilter, window: Window) -> Slice:
        """A page of the attempts to deliver to a webhook, newest first.

        Raises:
            NotFound: there is no such webhook.
        """
        async with self._database.connection() as connection:
            await hook_row(connection, org, hook)
            where, values = _chosen(org, hook, wanted)
            count = await connection.fetchval(f"select count(*) from deliveries where {where}", *values)  # noqa: S608 - our own text
            places = f"${len(values) + 1} offset ${len(values) + 2}"
            rows = await connection.fetch(
                f"select {_COLUMNS} from deliveries where {where} order by sequence desc limit {places}",  # noqa: S608 - our own text
                *values,
                window.size,
                window.offset,
            )
        return Slice(count, [_shown(Delivery.model_validate(dict(row))) for row in rows])

    async def read(self, org: str, hook: UUID, delivery: int) -> str:
        """One attempt as JSON, with what was sent and what was answered.

        Raises:
            NotFound: it is not there. BusUnavailable: the log cannot be read.
        """
        row = await self._row(org, hook, delivery)
        response = ResponseHead.model_validate_json(row["response"]) if row["response"] else None
        detail = dict(row) | {"response": response, "request_body": await self._body(org, row)}
        return _shown(DeliveryDetail.model_validate(detail))

    async def redeliver(self, org: str, hook: UUID, delivery: int) -> Redelivery:
        """Put a delivery in line to be sent once more, whatever became of it before.

        Raises:
            NotFound: it is not there.
        """
        row = await self._row(org, hook, delivery)
        place = 0 if row["test"] else await self._place(org, row["job"], row["status"])
        if place is None:
            raise NotFound()
        attempt = WebhookAttempt(
            org=org,
            job=row["job"],
            hook=str(hook),
            status=row["status"],
            sequence=place,
            redelivery=secrets.token_hex(4),
            test=row["test"],
        )
        await self._put(attempt)
        return Redelivery(message="The delivery is queued to be sent again.", message_id=attempt.message_id)

    async def test(self, org: str, hook: UUID) -> Redelivery:
        """Put a test in line: it tells the webhook of a sample job, once, on the way that all deliveries go.

        Raises:
            NotFound: there is no such webhook.
        """
        async with self._database.connection() as connection:
            await hook_row(connection, org, hook)
        attempt = WebhookAttempt(
            org=org,
            job=new_job_id(),
            hook=str(hook),
            status="queued",
            sequence=0,
            redelivery=secrets.token_hex(4),
            test=True,
        )
        await self._put(attempt)
        return Redelivery(message="A test is queued to be sent.", message_id=attempt.message_id)

    async def _row(self, org: str, hook: UUID, delivery: int) -> Any:
        async with self._database.connection() as connection:
            await hook_row(connection, org, hook)
            row = await connection.fetchrow(
                f"select {_COLUMNS}, response from deliveries"  # noqa: S608 - our own text
                " where org = $1 and hook = $2 and sequence = $3",
                org,
                hook,
                delivery,
            )
        if row is None:
            raise NotFound()
        return row

    async def _body(self, org: str, row: Any) -> str | None:
        """What was sent. Every attempt of a state sends the same, which nobody has to keep: the log alone makes it."""
        job = row["job"]
        if row["test"]:
            return webhook_body(sample_job(org, job)).decode()
        place = await self._place(org, job, row["status"])
        if place is None:
            return None
        recorded = await self._log.read(org, job, at_least=place)
        # A film of a day has thousands of events.
        state = await asyncio.to_thread(job_at, recorded, place)
        return webhook_body(state).decode() if state else None

    async def _place(self, org: str, job: str, status: Told) -> int | None:
        """Where in the log stands the event that brought a job to a status."""
        found = await self._log.last(job_subject(org, job, _BROUGHT_BY[status].subject))
        return found.sequence if found else None

    async def _put(self, attempt: WebhookAttempt) -> None:
        await self._js.publish(
            attempt.subject,
            attempt.model_dump_json().encode(),
            stream=WEBHOOKS,
            timeout=5,
            headers=trace_headers(context_within(await self._log.trace_of(attempt.org, attempt.job))),
        )


def _chosen(org: str, hook: UUID, wanted: DeliveryFilter) -> tuple[str, list[object]]:
    """A condition, and the values of its places."""
    conditions, values = ["org = $1", "hook = $2"], [org, hook]
    if wanted.job:
        values.append(wanted.job)
        conditions.append(f"job = ${len(values)}")
    if wanted.outcomes:
        values.append(list(wanted.outcomes))
        conditions.append(f"outcome = any(${len(values)}::text[])")
    return " and ".join(conditions), values


def _shown(delivery: Delivery) -> str:
    times = {"at": timestamp(delivery.at), "next_attempt_at": timestamp(delivery.next_attempt_at)}
    return json_text(delivery.model_dump(mode="json") | times)

"""Webhooks of an organization: register, list, replace, remove; their deliveries, and sending one again."""

import secrets
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from nats.aio.client import Client

from services.api.accounts.organizations import lock_organization
from services.api.contract.errors import BadRequest, NotFound
from services.api.contract.listing import Window
from services.api.contract.models import WebhookRequest
from services.api.contract.responses import Delivery, Redelivery, Webhook
from services.api.database.pool import Connection, Database
from services.api.webhooks.hooks import HookBook
from shared.bus.joblog import JobLog
from shared.bus.subjects import job_subject
from shared.bus.topology import WEBHOOKS
from shared.deliveries import WebhookAttempt
from shared.job import STATUS_AFTER
from shared.payload import json_text, timestamp
from shared.tracing.spans import context_within, trace_headers

MOST_WEBHOOKS = 100
_BROUGHT_BY = {status: event for event, status in STATUS_AFTER.items()}


def new_secret() -> str:
    """A secret token in the form that the libraries of Standard Webhooks take: ``whsec_`` and the base64 of the key."""
    return "whsec_" + b64encode(secrets.token_bytes(30)).decode()


@dataclass(frozen=True)
class Slice:
    """Part of a list: the items as JSON text, and how many there are in all."""

    count: int
    items: list[str]


class Webhooks:
    """The webhooks of all organizations."""

    def __init__(self, database: Database, client: Client, book: HookBook, log: JobLog) -> None:
        self._database = database
        self._js = client.jetstream(timeout=5)
        self._book = book
        self._log = log

    async def register(self, org: str, request: WebhookRequest) -> Webhook:
        """Add a webhook; it is told of changes from now on.

        Raises:
            BadRequest: there are too many.
        """
        hook = Webhook(id=uuid4(), url=request.url, secret_token=request.secret_token or new_secret())
        async with self._database.transaction() as connection:
            await lock_organization(connection, org)
            if await connection.fetchval("select count(*) from webhooks where org = $1", org) >= MOST_WEBHOOKS:
                raise BadRequest(f"This organization has {MOST_WEBHOOKS} webhooks, which is the most it may have.")
            await connection.execute(
                "insert into webhooks (id, org, url, secret) values ($1, $2, $3, $4)",
                hook.id,
                org,
                hook.url,
                self._book.seal_secret(hook.id, hook.secret_token),
            )
            await self._book.publish(connection, org)
        return hook

    async def page(self, org: str, window: Window) -> Slice:
        """A page of the organization's webhooks, oldest first."""
        async with self._database.connection() as connection:
            count = await connection.fetchval("select count(*) from webhooks where org = $1", org)
            rows = await connection.fetch(
                "select id, url, secret from webhooks where org = $1 order by created, id limit $2 offset $3",
                org,
                window.size,
                window.offset,
            )
        return Slice(count, [self._shown(row).model_dump_json() for row in rows])

    async def read(self, org: str, hook: UUID) -> Webhook:
        """A webhook.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.connection() as connection:
            return self._shown(await _row(connection, org, hook))

    async def replace(self, org: str, hook: UUID, request: WebhookRequest) -> Webhook:
        """Change a webhook; one that was disabled since its receiver said 410 is enabled again.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.transaction() as connection:
            await lock_organization(connection, org)
            old = self._shown(await _row(connection, org, hook))
            new = Webhook(id=hook, url=request.url, secret_token=request.secret_token or old.secret_token)
            await connection.execute(
                "update webhooks set url = $3, secret = $4, enabled = true where org = $1 and id = $2",
                org,
                hook,
                new.url,
                self._book.seal_secret(hook, new.secret_token),
            )
            await self._book.publish(connection, org)
        return new

    async def remove(self, org: str, hook: UUID) -> None:
        """Remove a webhook; nothing more is sent to it.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.transaction() as connection:
            await lock_organization(connection, org)
            await _row(connection, org, hook)
            await connection.execute("delete from webhooks where org = $1 and id = $2", org, hook)
            await self._book.publish(connection, org)

    async def deliveries(self, org: str, hook: UUID, window: Window) -> Slice:
        """A page of the attempts to deliver to a webhook, newest first.

        Raises:
            NotFound: there is no such webhook.
        """
        async with self._database.connection() as connection:
            await _row(connection, org, hook)
            count = await connection.fetchval("select count(*) from deliveries where org = $1 and hook = $2", org, hook)
            rows = await connection.fetch(
                "select sequence as id, job, status, attempt, at, outcome, response_status, error, duration_ms, next_attempt_at,"
                " message_id from deliveries where org = $1 and hook = $2 order by sequence desc limit $3 offset $4",
                org,
                hook,
                window.size,
                window.offset,
            )
        return Slice(count, [_delivery_json(dict(row)) for row in rows])

    async def redeliver(self, org: str, hook: UUID, delivery: int) -> Redelivery:
        """Put a delivery in line to be sent once more, whatever became of it before.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.connection() as connection:
            await _row(connection, org, hook)
            row = await connection.fetchrow(
                "select job, status from deliveries where org = $1 and hook = $2 and sequence = $3", org, hook, delivery
            )
        event = row and await self._log.last(job_subject(org, row["job"], _BROUGHT_BY[row["status"]].subject))
        if not row or not event:
            raise NotFound()
        attempt = WebhookAttempt(
            org=org,
            job=row["job"],
            hook=str(hook),
            status=row["status"],
            sequence=event.sequence,
            redelivery=secrets.token_hex(4),
        )
        await self._js.publish(
            attempt.subject,
            attempt.model_dump_json().encode(),
            stream=WEBHOOKS,
            timeout=5,
            headers=trace_headers(context_within(await self._log.trace_of(org, row["job"]))),
        )
        return Redelivery(message="The delivery is queued to be sent again.", message_id=attempt.message_id)

    def _shown(self, row: Any) -> Webhook:
        return Webhook(id=row["id"], url=row["url"], secret_token=self._book.open_secret(row["id"], row["secret"]))


async def _row(connection: "Connection", org: str, hook: UUID) -> Any:
    row = await connection.fetchrow("select id, url, secret from webhooks where org = $1 and id = $2", org, hook)
    if row is None:
        raise NotFound()
    return row


def _delivery_json(row: dict[str, Any]) -> str:
    delivery = Delivery.model_validate(row)
    shown = delivery.model_dump(mode="json") | {
        "at": timestamp(delivery.at),
        "next_attempt_at": timestamp(delivery.next_attempt_at),
    }
    return json_text(shown)

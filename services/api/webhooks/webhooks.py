"""Webhooks of an organization: register, list, replace, rotate, remove."""

import secrets
from base64 import b64encode
from typing import Any
from uuid import UUID, uuid4

from services.api.accounts.organizations import lock_organization
from services.api.contract.errors import BadRequest, Invalid, NotFound
from services.api.contract.listing import Window
from services.api.contract.models import RotationRequest, WebhookRequest
from services.api.contract.responses import RotatedWebhook, Webhook
from services.api.database.pool import Connection, Database
from services.api.webhooks.hooks import HookBook

MOST_WEBHOOKS = 100


def new_secret() -> str:
    """A secret token in the form that the libraries of Standard Webhooks take: ``whsec_`` and the base64 of the key."""
    return "whsec_" + b64encode(secrets.token_bytes(30)).decode()


class Webhooks:
    """The webhooks of all organizations.

    Args:
        overlap: seconds that the secret of before a rotation goes on signing where the request does not say.
    """

    def __init__(self, database: Database, book: HookBook, *, overlap: int) -> None:
        self._database = database
        self._book = book
        self._overlap = overlap

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

    async def page(self, org: str, window: Window) -> tuple[int, list[Webhook]]:
        """How many webhooks the organization has, and a page of them, oldest first."""
        async with self._database.connection() as connection:
            count = await connection.fetchval("select count(*) from webhooks where org = $1", org)
            rows = await connection.fetch(
                "select id, url, secret from webhooks where org = $1 order by created, id limit $2 offset $3",
                org,
                window.size,
                window.offset,
            )
        return count, [self._shown(row) for row in rows]

    async def read(self, org: str, hook: UUID) -> Webhook:
        """A webhook.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.connection() as connection:
            return self._shown(await hook_row(connection, org, hook))

    async def replace(self, org: str, hook: UUID, request: WebhookRequest) -> Webhook:
        """Change a webhook; one that was disabled since its receiver said 410 is enabled again.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.transaction() as connection:
            await lock_organization(connection, org)
            old = self._shown(await hook_row(connection, org, hook))
            new = Webhook(id=hook, url=request.url, secret_token=request.secret_token or old.secret_token)
            await connection.execute(
                "update webhooks set url = $3, secret = $4, enabled = true,"
                # Another secret that is set here counts at once.
                " previous_secret = case when $5 then previous_secret end,"
                " previous_until = case when $5 then previous_until end where org = $1 and id = $2",
                org,
                hook,
                new.url,
                self._book.seal_secret(hook, new.secret_token),
                new.secret_token == old.secret_token,
            )
            await self._book.publish(connection, org)
        return new

    async def rotate(self, org: str, hook: UUID, request: RotationRequest) -> RotatedWebhook:
        """Give a webhook another secret. The one of before signs beside it for a while.

        Raises:
            NotFound: it is not there. Invalid: the secret is the one that it has.
        """
        seconds = self._overlap if request.overlap_seconds is None else request.overlap_seconds
        async with self._database.transaction() as connection:
            await lock_organization(connection, org)
            old = self._shown(await hook_row(connection, org, hook))
            secret = request.secret_token or new_secret()
            if secret == old.secret_token:
                raise Invalid({"secret_token": ["This is the secret that the webhook has. Give another one, or none."]})
            until = await connection.fetchval(
                "update webhooks set previous_secret = case when $4::float8 > 0 then secret end,"
                " previous_until = case when $4 > 0 then now() + make_interval(secs => $4) end, secret = $3"
                " where org = $1 and id = $2 returning previous_until",
                org,
                hook,
                self._book.seal_secret(hook, secret),
                float(seconds),
            )
            await self._book.publish(connection, org)
        return RotatedWebhook(id=hook, url=old.url, secret_token=secret, previous_secret_expires_at=until)

    async def remove(self, org: str, hook: UUID) -> None:
        """Remove a webhook; nothing more is sent to it.

        Raises:
            NotFound: it is not there.
        """
        async with self._database.transaction() as connection:
            await lock_organization(connection, org)
            await hook_row(connection, org, hook)
            await connection.execute("delete from webhooks where org = $1 and id = $2", org, hook)
            await self._book.publish(connection, org)

    def _shown(self, row: Any) -> Webhook:
        return Webhook(id=row["id"], url=row["url"], secret_token=self._book.open_secret(row["id"], row["secret"]))


async def hook_row(connection: Connection, org: str, hook: UUID) -> Any:
    """The row of a webhook.

    Raises:
        NotFound: it is not there.
    """
    row = await connection.fetchrow("select id, url, secret from webhooks where org = $1 and id = $2", org, hook)
    if row is None:
        raise NotFound()
    return row

"""The webhooks of an organization as the notifier gets them: a sealed list in a bucket of the bus, since it has no database."""

import json
from typing import Any
from uuid import UUID

import structlog
from nats.aio.client import Client

from services.api.accounts.organizations import lock_organization
from services.api.database.pool import Connection, Database
from shared.bus.topology import HOOKS_BUCKET
from shared.deliveries import Hook
from shared.sealing import SealBroken, Sealer


class HookBook:
    """Writes each organization's list. The rows in Postgres are what counts; the bucket follows them."""

    def __init__(self, database: Database, client: Client, sealer: Sealer) -> None:
        self._database = database
        self._js = client.jetstream()
        self._sealer = sealer

    async def publish(self, connection: "Connection", org: str) -> None:
        """Write the list as the rows have it now.

        Runs inside the transaction that changed the rows, so that a change is not kept whose list could not be written.
        The lock on the organization lets no older list be written after a newer one.

        Raises:
            nats.errors.Error, TimeoutError: the bus is out of reach.
        """
        await lock_organization(connection, org)
        rows = await connection.fetch(
            "select id, url, secret, enabled, previous_secret, previous_until from webhooks where org = $1"
            " order by created, id",
            org,
        )
        hooks = [hook for hook in map(self._hook, rows) if hook.secret_token]
        text = json.dumps([hook.model_dump(mode="json") for hook in hooks])
        bucket = await self._js.key_value(HOOKS_BUCKET)
        await bucket.put(org, self._sealer.seal(text, f"hooks of {org}"))

    async def publish_anew(self, org: str) -> None:
        """Write the list of an organization, whose rows were changed elsewhere.

        Raises:
            DatabaseDown, nats.errors.Error, TimeoutError: not done.
        """
        async with self._database.transaction() as connection:
            await self.publish(connection, org)

    async def publish_all(self) -> None:
        """Write every organization's list: whatever was missed before is mended.

        Raises:
            DatabaseDown, nats.errors.Error, TimeoutError: not done, or not for all.
        """
        async with self._database.connection() as connection:
            orgs = [row["code"] for row in await connection.fetch("select code from organizations order by code")]
        for org in orgs:
            await self.publish_anew(org)

    async def forget_previous(self) -> None:
        """Delete the secrets of before whose time is over.

        Raises:
            DatabaseDown, nats.errors.Error, TimeoutError: not done, or not for all.
        """
        async with self._database.connection() as connection:
            found = await connection.fetch("select distinct org from webhooks where previous_until <= now()")
        for row in found:
            async with self._database.transaction() as connection:
                await lock_organization(connection, row["org"])
                await connection.execute(
                    "update webhooks set previous_secret = null, previous_until = null"
                    " where org = $1 and previous_until <= now()",
                    row["org"],
                )
                await self.publish(connection, row["org"])

    def _hook(self, row: Any) -> Hook:
        previous = row["previous_secret"]
        return Hook(
            id=str(row["id"]),
            url=row["url"],
            secret_token=self.open_secret(row["id"], row["secret"]),
            enabled=row["enabled"],
            previous_secret_token=(self.open_secret(row["id"], previous) or None) if previous else None,
            previous_until=row["previous_until"],
        )

    def seal_secret(self, hook: UUID, secret: str) -> bytes:
        """A hook's secret token as the row keeps it."""
        return self._sealer.seal(secret, secret_purpose(hook))

    def open_secret(self, hook: UUID, sealed: bytes) -> str:
        """A hook's secret token; empty if it was sealed with a key that is gone, so that its owner can set another one."""
        try:
            return self._sealer.open(sealed, secret_purpose(hook))
        except SealBroken as error:
            structlog.get_logger().error("a webhook is out of use", webhook=str(hook), error=str(error))
            return ""


def secret_purpose(hook: UUID) -> str:
    """What the secret token of a hook is sealed for."""
    return f"secret of webhook {hook}"

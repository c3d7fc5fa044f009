"""The webhooks of organizations, as the api keeps them in its sealed bucket."""

import asyncio
import json
from typing import Self

from nats.aio.client import Client
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue
from pydantic import TypeAdapter

from shared.bus.errors import bus_calls
from shared.bus.topology import HOOKS_BUCKET, QUEUES_BUCKET
from shared.deliveries import Hook
from shared.errors import TransientError
from shared.sealing import SealBroken, Sealer

_HOOKS = TypeAdapter(list[Hook])
_REMEMBERED = 1000


class Hooks:
    """Reads hooks, and remembers those whose receivers have said 410 until the api has disabled them.

    The bucket is asked each time, since a customer may register a webhook and send a job in the next instant, and a watch
    tells when it tells. What a revision of it holds is unsealed once only. All calls raise ``BusUnavailable`` while the bus
    is out of reach.
    """

    def __init__(self, bucket: KeyValue, gone: KeyValue, sealer: Sealer) -> None:
        self._bucket = bucket
        self._gone = gone
        self._sealer = sealer
        self._opened: dict[str, tuple[int, dict[str, Hook]]] = {}

    @classmethod
    async def open(cls, client: Client, sealer: Sealer) -> Self:
        """Bind to the provisioned buckets."""
        js = client.jetstream()
        return cls(await js.key_value(HOOKS_BUCKET), await js.key_value(QUEUES_BUCKET), sealer)

    @bus_calls()
    async def enabled(self, org: str) -> list[Hook]:
        """The hooks to be told.

        Raises:
            TransientError: the entry cannot be unsealed with the keys of this process.
        """
        (revision, hooks), (_, gone) = await asyncio.gather(self._read(org), self._read_gone(org))
        # The api has written the entry again since a hook was found gone: what it says now counts.
        return [hook for hook in hooks.values() if hook.enabled and gone.get(hook.id, -1) < revision]

    @bus_calls()
    async def find(self, org: str, hook_id: str, *, even_disabled: bool = False) -> Hook | None:
        """A hook, unless it was removed or disabled.

        Raises:
            TransientError: the entry cannot be unsealed with the keys of this process.
        """
        if even_disabled:
            return (await self._read(org))[1].get(hook_id)
        return next((hook for hook in await self.enabled(org) if hook.id == hook_id), None)

    @bus_calls()
    async def note_gone(self, org: str, hook: Hook) -> bool:
        """Skip a hook from now on, until the api has written the organization's entry again.

        Returns:
            False, without skipping it, if it was changed meanwhile: what was gone is not what the customer wants told now.
        """
        while True:
            (revision, hooks), (last, gone) = await asyncio.gather(self._read(org), self._read_gone(org))
            if hooks.get(hook.id) != hook:
                return False
            try:
                await self._gone.update(_gone_key(org), json.dumps(gone | {hook.id: revision}).encode(), last=last)
            except KeyWrongLastSequenceError:
                continue
            return True

    async def _read(self, org: str) -> tuple[int, dict[str, Hook]]:
        try:
            entry = await self._bucket.get(org)
        except KeyNotFoundError:
            return 0, {}
        revision = entry.revision or 0
        remembered = self._opened.get(org)
        if remembered and remembered[0] == revision:
            return remembered
        try:
            hooks = _HOOKS.validate_json(self._sealer.open(entry.value or b"", f"hooks of {org}"))
        except SealBroken as error:
            raise TransientError("credentials_lost", str(error)) from error
        if len(self._opened) >= _REMEMBERED:
            self._opened.clear()
        self._opened[org] = revision, {hook.id: hook for hook in hooks}
        return self._opened[org]

    async def _read_gone(self, org: str) -> tuple[int, dict[str, int]]:
        try:
            entry = await self._gone.get(_gone_key(org))
        except KeyNotFoundError:
            return 0, {}
        return entry.revision or 0, json.loads(entry.value or b"{}")


def _gone_key(org: str) -> str:
    return f"gone.{org}"

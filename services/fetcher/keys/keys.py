"""The keys of a job, the same however often they are asked for."""

from services.fetcher.keys.services import KeyServices
from services.fetcher.metrics import STEP_SECONDS
from shared.bus.headway import made_headway
from shared.bus.vault import Vault
from shared.encryption.keys import KeySet
from shared.encryption.protection import SD_PIXELS, Tracks
from shared.encryption.providers import SealedStore, StaticKeys
from shared.errors import PermanentError
from shared.events import Created
from shared.media.plan import Plan
from shared.tracing.spans import span


class JobKeys:
    """Brings the keys of jobs: those that the vault has, else those that a key service gives, which it has from then on.

    So a worker that dies between asking and publishing leaves the next one nothing to decide.
    """

    def __init__(self, vault: Vault, services: KeyServices) -> None:
        self._vault = vault
        self._services = services

    async def __call__(self, created: Created) -> KeySet | None:
        """The keys that a job's tracks are encrypted with, whichever it will have; None where they are not.

        Raises:
            PermanentError: ``credentials_lost``, ``drm_key_refused``. Outage: ``drm_key_unavailable``.
        """
        if created.encryption is None:
            return None
        with STEP_SECONDS.labels("keys").time(), span("keys"):
            kept = await self._vault.key_set(created.org, created.job) or await self._asked_for(created)
        await made_headway("drm", kept=True)
        return kept

    async def _asked_for(self, created: Created) -> KeySet:
        provider = await self._vault.provider(created.org, created.job)
        if provider is None or isinstance(provider, SealedStore | StaticKeys) or not created.encryption:
            raise PermanentError("credentials_lost", "the keys of this job were kept with it, and are gone")
        keys = await self._services.ask(provider, created.encryption, created.drm_content_id or "")
        keys = keys.from_provider(provider.identity)
        # A duplicate worker may have been first; then its keys are the ones that count.
        return await self._vault.put_keys(created.org, created.job, keys)


def tracks_of(plan: Plan) -> frozenset[Tracks]:
    """What of a plan is encrypted, by what keys are for."""
    sizes = {rung.width * rung.height <= SD_PIXELS for rung in plan.rungs}
    tracks: set[Tracks] = {"sd" if is_small else "hd" for is_small in sizes}
    return frozenset(tracks | {"audio"} if plan.audio else tracks)

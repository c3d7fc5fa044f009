"""Keys for callers who bring a content id of their own choice."""

from services.api.contract.errors import Forbidden
from services.api.drm.contents import Contents
from services.api.drm.providers import KeyProviders
from shared.encryption.keys import ContentKey
from shared.encryption.providers import SealedStore


class KeysOnDemand:
    """Gives the keys of contents out of the sealed store, and makes them for contents that have none."""

    def __init__(self, contents: Contents, providers: KeyProviders) -> None:
        self._contents = contents
        self._providers = providers

    async def __call__(self, org: str, content_id: str) -> tuple[ContentKey, ...]:
        """The keys of a content: a shared one where they are made now.

        Raises:
            Forbidden: it has none here, and the organization's keys come from elsewhere: ours would be others than those its
                output is encrypted with.
            Unavailable: they cannot be read.
        """
        if content := await self._contents.read(org, content_id):
            return content.keys
        provider = await self._providers.get(org)
        if not isinstance(provider, SealedStore):
            raise Forbidden(f"The keys of this organization do not come from this server but from {provider.kind}.")
        return await self._contents.content_keys(org, content_id)

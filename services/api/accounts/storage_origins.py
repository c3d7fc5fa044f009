"""At which addresses browsers meet organizations' storages: where uploads go to and outputs are played from."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from services.api.accounts.organizations import Storages
from shared.addresses import AddressPolicy
from shared.presigning import presigner
from shared.remembered import Remembered

# Of more organizations than these, nobody uploads within one visit; a page's policy is a header, and has to stay one.
MOST_ORGANIZATIONS = 20
_REMEMBERED_SECONDS = 60.0
_MOST_REMEMBERED = 1_000
_ANY_KEY = "key"
# It goes into a header between others, where a stray character would mean something.
_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")


class StorageOrigins:
    """The origins of organizations' storages, each remembered for a minute."""

    def __init__(self, storages: Storages, *, policy: AddressPolicy) -> None:
        self._storages = storages
        self._policy = policy
        self._known = Remembered(self._find, seconds=_REMEMBERED_SECONDS, most=_MOST_REMEMBERED)

    async def of(self, orgs: Sequence[str]) -> tuple[str, ...]:
        """Those of several organizations, as a Content-Security-Policy names them, each once.

        Raises:
            DatabaseDown: the storages are out of reach.
        """
        found = [origin for org in orgs[:MOST_ORGANIZATIONS] for origin in await self._known.of(org)]
        return tuple(dict.fromkeys(found))

    async def _find(self, org: str) -> tuple[str, ...]:
        storage = await self._storages.whole(org)
        addresses = [storage.playback_base_url or ""]
        if location := storage.location:
            signer = await presigner(location, policy=self._policy, seconds=1, public_endpoint=storage.public_endpoint)
            addresses.append(signer.address("GET", _ANY_KEY))
            if location.endpoint is None and location.region:
                # Where AWS sends whoever asks for the bucket without naming the region.
                addresses.append(f"https://{location.bucket}.s3.{location.region}.amazonaws.com/")
        return tuple(origin for origin in map(_origin, addresses) if origin)


def _origin(address: str) -> str | None:
    parts = urlsplit(address)
    origin = f"{parts.scheme}://{parts.netloc}"
    return origin if _ORIGIN.fullmatch(origin) else None

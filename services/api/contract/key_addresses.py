"""Where players get keys from this server, as playlists and manifests tell them. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

AES_KEY = "/api/v1/{org}/aes_key/{content_id}/"
CLEAR_KEY_LICENCE = "/api/v1/{org}/clearkey_license/"
DRM_LICENCE = "/api/v1/{org}/drm_license/"


@dataclass(frozen=True)
class KeyAddresses:
    """The addresses of one server.

    Attributes:
        public_url: with which they begin; None where the server knows no address of its own.
        clear_key: codes of the organizations that it gives licences of Clear Key for.
    """

    public_url: str | None = None
    clear_key: Collection[str] = ()

    def key_of(self, org: str) -> str | None:
        """Where the keys of AES-128 are, with ``{content_id}`` in it."""
        return self._below(AES_KEY, org)

    def licence_of(self, org: str) -> str | None:
        """Where the licences of Clear Key are, if there are any."""
        return self._below(CLEAR_KEY_LICENCE, org) if org in self.clear_key else None

    def _below(self, path: str, org: str) -> str | None:
        return self.public_url + path.replace("{org}", org) if self.public_url else None

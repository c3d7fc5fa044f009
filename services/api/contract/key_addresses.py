"""Where players get keys from this server, as playlists and manifests tell them. Pure."""

from dataclasses import dataclass
from typing import Self

AES_KEY = "/api/v1/{org}/aes_key/{content_id}/"
CLEAR_KEY_LICENCE = "/api/v1/{org}/clearkey_license/"


@dataclass(frozen=True)
class KeyAddresses:
    """Addresses with ``{org}`` in them, and the one of a key with ``{content_id}``. None where this server gives none out.

    Attributes:
        key: of AES-128. licence: of Clear Key.
    """

    key: str | None = None
    licence: str | None = None

    @classmethod
    def below(cls, public_url: str | None) -> Self:
        """Those of a server; without an address of its own it cannot be found."""
        return cls(public_url + AES_KEY, public_url + CLEAR_KEY_LICENCE) if public_url else cls()

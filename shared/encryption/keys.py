"""The keys of a content. They travel sealed (:mod:`shared.bus.vault`), and no text of them is ever made but for that."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from shared.encryption.protection import Protection, Tracks


@dataclass(frozen=True)
class ContentKey:
    """A key, 16 bytes, with its id and its constant initialization vector, 16 bytes each. ``repr`` shows no key.

    Attributes:
        tracks: that are encrypted with it.
    """

    tracks: Tracks
    kid: bytes
    iv: bytes
    key: bytes = field(repr=False)

    def to_json(self) -> dict[str, str]:
        """As members of JSON, to be sealed."""
        return {"tracks": self.tracks, "kid": self.kid.hex(), "iv": self.iv.hex(), "key": self.key.hex()}

    @classmethod
    def from_json(cls, given: Any) -> "ContentKey":
        """The same back."""
        kid, iv, key = (bytes.fromhex(given[name]) for name in ("kid", "iv", "key"))
        return cls(given["tracks"], kid, iv, key)


@dataclass(frozen=True)
class KeySet:
    """The keys of a job, and what everybody may know of them, in the same order."""

    protection: Protection
    keys: tuple[ContentKey, ...]

    def only_for(self, tracks: Collection[Tracks]) -> "KeySet":
        """Without the keys that are for none of these; what is for all tracks, or all video, stays."""
        wanted = {"all", "video", *tracks}
        protected = tuple(key for key in self.protection.keys if key.tracks in wanted)
        return KeySet(
            self.protection.model_copy(update={"keys": protected}),
            tuple(key for key in self.keys if key.tracks in wanted),
        )

    def from_provider(self, identity: str) -> "KeySet":
        """The same, and where they came from."""
        return KeySet(self.protection.model_copy(update={"provider": identity}), self.keys)

    def text(self) -> str:
        """As JSON, to be sealed."""
        return json.dumps(
            {"protection": self.protection.model_dump(mode="json"), "keys": [key.to_json() for key in self.keys]}
        )

    @classmethod
    def parse(cls, text: str) -> "KeySet":
        """The same back."""
        given = json.loads(text)
        return cls(
            Protection.model_validate(given["protection"]), tuple(ContentKey.from_json(key) for key in given["keys"])
        )

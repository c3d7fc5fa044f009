"""The keys of a content. They travel sealed (:mod:`shared.bus.vault`), and no text of them is ever made but for that."""

from dataclasses import dataclass, field

from shared.encryption.protection import Tracks


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

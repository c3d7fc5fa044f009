"""How a job asks for its output to be encrypted. No key and no secret is in here, so it stands in the log. Pure."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.encryption.protection import Scheme, Tracks

System = Literal["widevine", "fairplay", "playready", "clearkey"]
"""What players get their keys by. ``clearkey`` is W3C's Clear Key, which protects nothing: it is for trials."""

KeyUse = Literal["shared", "separate"]
"""One key for everything, or one each for audio, SD and HD."""

DEFAULT_SYSTEMS: tuple[System, ...] = ("widevine", "fairplay")

TRACKS: dict[KeyUse, tuple[Tracks, ...]] = {"shared": ("all",), "separate": ("audio", "sd", "hd")}
"""What the keys are for, in the order in which a track takes the first that is for it."""


class EncryptionRequest(BaseModel):
    """What a job asks for.

    Attributes:
        systems: that players are told of. None with ``aes-128``, which needs no more than HLS has.
        keys: how many, and for what.
        key_uri: with ``aes-128``, where players fetch the key; whole, but for the places ``{content_id}`` and ``{kid}``.
        licence_url: with ``clearkey``, where players fetch the keys. None where they are told otherwise.
    """

    model_config = ConfigDict(frozen=True)
    scheme: Scheme
    systems: tuple[System, ...] = ()
    keys: KeyUse = "shared"
    key_uri: str | None = None
    licence_url: str | None = None

    @property
    def tracks(self) -> tuple[Tracks, ...]:
        """What the keys are for."""
        return TRACKS[self.keys]

"""How a job's output is encrypted, as far as everybody may know it: no key is in here.

Key ids, initialization vectors and all that players are told lie open in the output itself (``tenc``, ``pssh``, ``#EXT-X-KEY``,
``ContentProtection``), so they may stand in the log.
"""

from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, StringConstraints

from shared.media.layout import kind_of
from shared.media.result import Layout

Scheme = Literal["cbcs", "aes-128"]
"""``cbcs`` encrypts in samples, as Common Encryption has it (ISO/IEC 23001-7); ``aes-128`` whole segments, for HLS alone (RFC
8216, 4.3.2.4)."""

Tracks = Literal["all", "audio", "video", "sd", "hd"]
"""What a key is for. ``sd`` is video up to 1024x576 pixels, ``hd`` all above."""

Hex128 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
"""16 bytes in hexadecimal, lower case."""

SD_PIXELS = 1024 * 576
"""The largest picture that counts as SD with the services that tell SD from HD (AWS' SPEKE presets)."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProtectedKey(_Model):
    """One key of a content, without the key.

    Attributes:
        tracks: that are encrypted with it.
        kid: the key id. iv: the constant initialization vector.
        pssh: whole boxes for the header of a track, base64 in JSON.
        media_lines: whole ``#EXT-X-KEY`` lines for each playlist of what is encrypted with it; session_lines: whole
            ``#EXT-X-SESSION-KEY`` lines for the multivariant playlist.
        mpd: ``ContentProtection`` elements for the manifest as XML texts, beside the one that names the scheme and the key id.
    """

    tracks: Tracks
    kid: Hex128
    iv: Hex128
    pssh: tuple[Base64Bytes, ...] = ()
    media_lines: tuple[str, ...] = ()
    session_lines: tuple[str, ...] = ()
    mpd: tuple[str, ...] = ()


class Protection(_Model):
    """The encryption of a job's output.

    Attributes:
        content_id: what key services know the content by.
        keys: that its tracks are encrypted with, each track with the first that is for it.
        provider: where they came from (its identity, :mod:`shared.encryption.providers`); None in events of before.
    """

    scheme: Scheme
    content_id: Hex128
    keys: tuple[ProtectedKey, ...] = Field(min_length=1)
    provider: str | None = None

    @property
    def layout(self) -> Layout:
        """What the segments have to be laid out for before they are encrypted; whole ones need nothing."""
        return "cbcs" if self.scheme == "cbcs" else "clear"

    def key_for(self, folder: str, *, pixels: int = 0) -> ProtectedKey | None:
        """The key of the rendition in a folder; None for text, which stays clear.

        Args:
            pixels: of a picture of video.

        Raises:
            LookupError: no key is for it.
        """
        kind = kind_of(folder)
        if kind == "text":
            return None
        quality = "audio" if kind == "audio" else "sd" if pixels <= SD_PIXELS else "hd"
        fitting = {"all", kind, quality}
        for key in self.keys:
            if key.tracks in fitting:
                return key
        raise LookupError(f"no key for {folder}")

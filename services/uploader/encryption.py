"""Encryption of objects on their way to the bucket: the work space has them in the clear, and no key. Pure but for threads."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from shared.encryption.cbcs import encrypt_segment
from shared.encryption.keys import ContentKey
from shared.encryption.objects import is_encrypted
from shared.encryption.protection import Protection
from shared.encryption.whole import encrypt_whole
from shared.errors import PermanentError
from shared.media.plan import Plan
from shared.mp4.bmff import MalformedMedia


@dataclass(frozen=True)
class Encryption:
    """How the objects of one job are encrypted.

    Attributes:
        keys: that of each rendition by its folder.
    """

    protection: Protection
    keys: dict[str, ContentKey]

    def applies_to(self, path: str) -> bool:
        """Whether an object is encrypted, given its path below the output prefix."""
        return is_encrypted(path)

    async def encrypted(self, path: str, body: bytes) -> bytes:
        """What goes to the bucket of an object that this applies to.

        Raises:
            PermanentError: the object is not laid out for encryption.
        """
        key = self.keys[path.rpartition("/")[0]]
        encrypt = encrypt_whole if self.protection.scheme == "aes-128" else encrypt_segment
        try:
            # A second of the processor for each hundred megabytes, in calls that let other threads run.
            return await asyncio.to_thread(encrypt, body, key)
        except MalformedMedia as error:
            # As from a transcoder of a version that knows no encryption. Nothing may go out in the clear.
            raise PermanentError("internal_error", f"{path} cannot be encrypted: {error}") from error


def encryption_of(plan: Plan, protection: Protection, keys: Iterable[ContentKey]) -> Encryption:
    """The encryption of a job's objects.

    Args:
        keys: all of the content.

    Raises:
        PermanentError: a key is missing.
    """
    known = {key.kid.hex(): key for key in keys}
    pixels = {rung.name: rung.width * rung.height for rung in plan.rungs} | {part.folder: 0 for part in plan.audio}
    try:
        told = {folder: protection.key_for(folder, pixels=count) for folder, count in pixels.items()}
        return Encryption(protection, {folder: known[one.kid] for folder, one in told.items() if one})
    except LookupError as error:
        raise PermanentError("internal_error", f"no key: {error}") from error

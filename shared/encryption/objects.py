"""What encryption makes of a job's objects: which of them are encrypted, and how long they are then. Pure."""

from pathlib import PurePosixPath

from shared.encryption.protection import Protection, Scheme
from shared.encryption.whole import encrypted_size
from shared.media.layout import SEGMENT_SUFFIX


def encrypted_object_size(size: int, scheme: Scheme) -> int:
    """Bytes of a segment that has so many in the clear."""
    return encrypted_size(size) if scheme == "aes-128" else size


def size_in_bucket(path: str, size: int, protection: Protection | None) -> int:
    """Bytes in the bucket of an object that has so many in the work space.

    Args:
        path: below the output prefix.
        protection: None where nothing is encrypted.
    """
    return encrypted_object_size(size, protection.scheme) if protection and is_encrypted(path) else size


def is_encrypted(path: str) -> bool:
    """Whether an object of an encrypted output is encrypted: segments of video and audio are; pictures and text stay clear."""
    return PurePosixPath(path).suffix == SEGMENT_SUFFIX

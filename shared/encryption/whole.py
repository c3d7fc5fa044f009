"""Encryption of whole segments by HLS's ``AES-128`` (RFC 8216, 4.3.2.4 and 5.2): CBC mode, padded as PKCS #7 has it. Pure."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from shared.encryption.keys import ContentKey

_BLOCK = 16


def encrypt_whole(body: bytes, key: ContentKey) -> bytes:
    """A segment encrypted from end to end; the playlist says the key's initialization vector explicitly."""
    padder = PKCS7(8 * _BLOCK).padder()
    encryptor = Cipher(algorithms.AES(key.key), modes.CBC(key.iv)).encryptor()
    return b"".join((encryptor.update(padder.update(body)), encryptor.update(padder.finalize()), encryptor.finalize()))


def encrypted_size(size: int) -> int:
    """Bytes of an encrypted segment that has so many in the clear."""
    return size - size % _BLOCK + _BLOCK

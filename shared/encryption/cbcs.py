"""Encryption of segments by ``cbcs`` (ISO/IEC 23001-7, 10.4). Pure.

AES-128 in CBC mode goes over one of ten blocks of video, and over all blocks of audio.
The transcoder has laid the segments out (:func:`shared.encryption.boxes.sample_encryption`); here their payload is encrypted in
place, so that no size and no offset changes. Nothing is random: the same segment and key give the same bytes.
"""

from typing import Literal

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from shared.encryption.boxes import read_sample_encryption
from shared.encryption.keys import ContentKey
from shared.mp4.bmff import MalformedMedia, read_fragments
from shared.mp4.subsamples import Spans

PATTERN = (1, 9)
"""Of samples with subsamples: blocks that are encrypted, and blocks after them that are not (ISO/IEC 23000-19, 8.2.3.1)."""

_BLOCK = 16
# Blocks are moved as words of eight bytes, with the steps of a slice, which costs one call for all blocks of a span.
_WORD: Literal["Q"] = "Q"
_STEP = sum(PATTERN) * 2


def encrypt_segment(segment: bytes, key: ContentKey) -> bytes:
    """The segment with its samples encrypted, as long as it was.

    It takes a second of processor time for some 500 MB, in short calls that leave other threads their turn; not for an event
    loop.

    Args:
        segment: with fragments that are laid out for encryption.

    Raises:
        MalformedMedia: it is not laid out for encryption, or its maps do not fit its samples.
    """
    encrypted = bytearray(segment)
    cipher: _Cipher = Cipher(algorithms.AES(key.key), modes.CBC(key.iv))
    with memoryview(encrypted) as view:
        fragments = 0
        for traf, fragment in read_fragments(segment):
            fragments += 1
            position = fragment.data
            if position + sum(fragment.sizes) > fragment.end:
                raise MalformedMedia("samples beyond their fragment")
            maps = read_sample_encryption(segment, traf, len(fragment.sizes))
            for size, spans in zip(fragment.sizes, maps, strict=True):
                _encrypt_sample(view[position : position + size], spans, cipher)
                position += size
    if not fragments:
        raise MalformedMedia("a segment without fragments")
    return bytes(encrypted)


_Cipher = Cipher[modes.CBC]


def _encrypt_sample(sample: memoryview, spans: Spans, cipher: _Cipher) -> None:
    if not spans:
        whole = len(sample) // _BLOCK * _BLOCK
        sample[:whole] = cipher.encryptor().update(sample[:whole])
        return
    if sum(map(sum, spans)) != len(sample):
        raise MalformedMedia("a map that does not fit its sample")
    position = 0
    for clear, protected in spans:
        position += clear
        if protected >= _BLOCK:
            _encrypt_pattern(sample[position : position + protected // _BLOCK * _BLOCK], cipher)
        position += protected


def _encrypt_pattern(span: memoryview, cipher: _Cipher) -> None:
    """Encrypt the blocks of the pattern: one chain through them, which begins anew with each span; what is no block stays."""
    words = span.cast(_WORD)
    blocks = bytearray(-(-len(words) // _STEP) * _BLOCK)
    chosen = memoryview(blocks).cast(_WORD)
    chosen[0::2], chosen[1::2] = words[0::_STEP], words[1::_STEP]
    encrypted = memoryview(cipher.encryptor().update(blocks)).cast(_WORD)
    words[0::_STEP], words[1::_STEP] = encrypted[0::2], encrypted[1::2]

"""Boxes of Common Encryption (ISO/IEC 23001-7) for the scheme ``cbcs`` with a constant initialization vector. Pure.

The map of the samples lies in each fragment in ``senc``; ``saiz`` and ``saio`` say the same place in the terms of any file.
Samples that are encrypted from end to end, as those of audio are, have an empty ``senc``.
"""

import struct
from collections.abc import Sequence

from shared.mp4.bmff import Box, MalformedMedia, boxes
from shared.mp4.subsamples import Spans

SCHEME = b"cbcs"
_SCHEME_VERSION = 0x00010000
_WITH_SUBSAMPLES = 0x2
_SENC_HEAD, _SAIO_BYTES = 16, 20
_SPAN = struct.Struct(">HI")
# What saiz tells of a sample has one byte.
_MOST_SAMPLE_INFO = 255


class MapTooLong(MalformedMedia):
    """A sample has more subsamples than a file can say."""


def sample_encryption(maps: Sequence[Spans], offset: int) -> bytes:
    """What a ``traf`` says of its samples: ``saiz``, ``saio`` and ``senc``; ``senc`` alone where they have no maps.

    Args:
        maps: of each sample; either all of them are empty, or none.
        offset: of these boxes from the start of the ``moof``.

    Raises:
        MapTooLong: a sample has more than 42 subsamples.
        ValueError: some of the maps are empty.
    """
    if not any(maps):
        return _full(b"senc", 0, struct.pack(">I", len(maps)))
    if not all(maps):
        raise ValueError("a sample without a map among others")
    infos = [struct.pack(">H", len(spans)) + b"".join(_SPAN.pack(*span) for span in spans) for spans in maps]
    sizes = bytearray()
    for info in infos:
        if len(info) > _MOST_SAMPLE_INFO:
            raise MapTooLong(f"{len(info)} bytes of map for one sample")
        sizes.append(len(info))
    alike = len(set(sizes)) == 1
    saiz = _full(b"saiz", 0, struct.pack(">BI", sizes[0] if alike else 0, len(sizes)), b"" if alike else bytes(sizes))
    saio = _full(b"saio", 0, struct.pack(">II", 1, offset + len(saiz) + _SAIO_BYTES + _SENC_HEAD))
    return saiz + saio + _full(b"senc", _WITH_SUBSAMPLES, struct.pack(">I", len(infos)), *infos)


def read_sample_encryption(data: bytes | memoryview, traf: Box, samples: int) -> list[Spans]:
    """The maps of the samples of a fragment, so many, out of its ``senc``; empty ones where they have none.

    Raises:
        MalformedMedia: there is no ``senc``, as in a fragment that is not laid out for encryption, or it cannot be read.
    """
    box = next((box for box in boxes(data, traf.body, traf.end) if box.kind == b"senc"), None)
    if box is None:
        raise MalformedMedia("a fragment that is not laid out for encryption")
    flags, count = struct.unpack_from(">II", data, box.body)
    if count != samples:
        raise MalformedMedia(f"maps of {count} samples instead of {samples}")
    if not flags & _WITH_SUBSAMPLES:
        return [()] * count
    maps = []
    position = box.body + 8
    try:
        for _ in range(count):
            (spans,) = struct.unpack_from(">H", data, position)
            end = position + 2 + spans * _SPAN.size
            maps.append(tuple(_SPAN.iter_unpack(data[position + 2 : end])))
            position = end
    except struct.error as error:
        raise MalformedMedia("a map of samples ends early") from error
    if position != box.end:
        raise MalformedMedia("a map of samples has another length than its box")
    return maps


def protection_info(original: bytes, *, kid: bytes, iv: bytes, pattern: tuple[int, int]) -> bytes:
    """The ``sinf`` box of a sample entry.

    ``tenc`` has version 1: that of version 0 has no pattern, and players of Apple's take no other.

    Args:
        original: type that the entry has where it is not encrypted.
        kid: key id. iv: the constant initialization vector, 16 bytes each.
        pattern: blocks that are encrypted, and blocks after them that are not; zeros encrypt all.
    """
    crypt, skip = pattern
    # Reserved, pattern, protected at all, bytes of an initialization vector of each sample's own.
    defaults = bytes((0, crypt << 4 | skip, 1, 0)) + kid + bytes((len(iv),)) + iv
    tenc = struct.pack(">I4sI", 12 + len(defaults), b"tenc", 1 << 24) + defaults
    return _box(
        b"sinf",
        _box(b"frma", original),
        _full(b"schm", 0, SCHEME, struct.pack(">I", _SCHEME_VERSION)),
        _box(b"schi", tenc),
    )


def _box(kind: bytes, *payload: bytes) -> bytes:
    body = b"".join(payload)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, flags: int, *payload: bytes) -> bytes:
    return _box(kind, struct.pack(">I", flags), *payload)

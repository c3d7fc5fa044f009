"""QuickTime files whose header is compressed (``cmov``): a copy with the same header in plain.

Programs of the nineties wrote them. Builds of ffprobe without zlib cannot open them.
"""

import shutil
import struct
import zlib
from itertools import islice
from pathlib import Path

from services.fetcher.probe.boxes import box_heads

LARGEST_HEADER = 64 * 1024**2
"""Bytes of a header at most once it is inflated."""

_MOST_BOXES = 1000
_HEAD = struct.Struct(">I4s")


def with_plain_header(file: Path) -> Path:
    """The file itself, or where its header is compressed, a copy beside it that can be read everywhere."""
    found = _compressed(file)
    if found is None:
        return file
    place, header = found
    plain = file.with_suffix(".plain")
    shutil.copyfile(file, plain)
    with plain.open("r+b") as copy:
        # Samples stay where the header says they are: the old header becomes free space, and the new one comes last.
        copy.seek(place + 4)
        copy.write(b"free")
        copy.seek(0, 2)
        copy.write(header)
    return plain


def _compressed(file: Path) -> tuple[int, bytes] | None:
    """Where the compressed header lies, and what it holds."""
    with file.open("rb") as opened:
        for head in islice(box_heads(opened, 0, file.stat().st_size), _MOST_BOXES):
            if head.kind == b"moov":
                opened.seek(head.content)
                if head.size > LARGEST_HEADER or opened.read(8)[4:] != b"cmov":
                    return None
                opened.seek(head.content)
                header = _inflated(opened.read(head.size - 8))
                return (head.begin, header) if header else None
    return None


def _inflated(compressed: bytes) -> bytes:
    """The header in a ``cmov`` box, empty where there is none."""
    method, data, place = b"", b"", 8
    while place + 8 <= len(compressed):
        size, kind = _HEAD.unpack_from(compressed, place)
        content = compressed[place + 8 : place + size]
        method = content[:4] if kind == b"dcom" else method
        # The first four bytes are the size that comes out.
        data = content[4:] if kind == b"cmvd" else data
        place += max(size, 8)
    if method != b"zlib":
        return b""
    try:
        header = zlib.decompressobj().decompress(data, LARGEST_HEADER)
    except zlib.error:
        return b""
    return header if header[4:8] == b"moov" else b""

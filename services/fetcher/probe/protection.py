"""Does a file declare that it is encrypted? Read from ISO base media and ASF, where ffprobe may fail or only warn.

Of a protected ASF, ffmpeg decodes noise; of a protected MP4 whose notes for decryption it cannot read, it says no more than
that the file is damaged.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from services.fetcher.probe.boxes import box_heads

_TO_SAMPLES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_SAMPLE_ENTRIES = {b"encv": "video", b"drmi": "video", b"enca": "audio", b"drms": "audio"}
_MOST_BOXES = 20_000

_ENCRYPTIONS = frozenset(
    UUID(text).bytes_le
    for text in (
        "2211b3fb-bd23-11d2-b4b7-00a0c955fc6e",  # content
        "298ae614-2622-4c17-b935-dae07ee9289c",  # extended content
        "43058533-6981-49e6-9b74-ad12cb86d58c",  # advanced content
    )
)
_STREAM = UUID("b7dc0791-a9b7-11cf-8ee6-00c00c205365").bytes_le
_STREAM_KINDS = {
    UUID("bc19efc0-5b4d-11cf-a8fd-00805f5c442b").bytes_le: "video",
    UUID("f8699e40-5b4d-11cf-a8fd-00805f5c442b").bytes_le: "audio",
}
_FLAGS, _ENCRYPTED = 72, 0x8000
_HEADER, _OBJECT = 30, 24
_LARGEST_HEADER = 16 * 1024**2


def protected_kinds(path: Path, demuxer: str) -> frozenset[str]:
    """Which kinds of streams (``video``, ``audio``) a file declares to be encrypted."""
    if demuxer not in ("mov", "asf"):
        return frozenset()
    with path.open("rb") as file:
        return frozenset(_of_samples(file) if demuxer == "mov" else _of_objects(file))


def _of_samples(file: BinaryIO) -> Iterator[str]:
    size = file.seek(0, 2)
    left = [_MOST_BOXES]
    for begin, end in _inside(file, 0, size, _TO_SAMPLES, left):
        # Version, flags and number of entries; then entries, which look like boxes.
        for kind, _, _ in _boxes(file, begin + 8, end, left):
            if kind in _SAMPLE_ENTRIES:
                yield _SAMPLE_ENTRIES[kind]


def _inside(file: BinaryIO, begin: int, end: int, way: tuple[bytes, ...], left: list[int]) -> Iterator[tuple[int, int]]:
    """Where the contents of the boxes at the end of a way lie."""
    if not way:
        yield begin, end
        return
    for kind, first, last in _boxes(file, begin, end, left):
        if kind == way[0]:
            yield from _inside(file, first, last, way[1:], left)


def _boxes(file: BinaryIO, begin: int, end: int, left: list[int]) -> Iterator[tuple[bytes, int, int]]:
    """Kind, beginning and end of the content of each box between two places.

    Args:
        left: how many more boxes may be looked at in all.
    """
    for head in box_heads(file, begin, end):
        if not left[0] or head.size < head.content - head.begin:
            return
        left[0] -= 1
        yield head.kind, head.content, min(head.begin + head.size, end)


def _of_objects(file: BinaryIO) -> Iterator[str]:
    start = file.read(_HEADER)
    if len(start) < _HEADER:
        return
    data = start + file.read(min(int.from_bytes(start[16:24], "little"), _LARGEST_HEADER) - _HEADER)
    place = _HEADER
    while place + _OBJECT <= len(data):
        kind, size = data[place : place + 16], int.from_bytes(data[place + 16 : place + _OBJECT], "little")
        if kind in _ENCRYPTIONS:
            yield from ("video", "audio")
        elif kind == _STREAM and int.from_bytes(data[place + _FLAGS : place + _FLAGS + 2], "little") & _ENCRYPTED:
            yield _STREAM_KINDS.get(data[place + _OBJECT : place + _OBJECT + 16], "video")
        if size < _OBJECT:
            return
        place += size

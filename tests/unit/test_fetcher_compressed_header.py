"""QuickTime headers in zlib."""

import struct
import zlib
from pathlib import Path

import pytest

from services.fetcher.probe import compressed_header
from services.fetcher.probe.compressed_header import with_plain_header

MOOV = struct.pack(">I4s", 24, b"moov") + b"x" * 16


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def compressed(header: bytes, method: bytes = b"zlib", data: bytes | None = None) -> bytes:
    packed = zlib.compress(header) if data is None else data
    inside = box(b"dcom", method) + box(b"cmvd", struct.pack(">I", len(header)) + packed)
    return box(b"moov", box(b"cmov", inside))


@pytest.mark.parametrize("before", [True, False])
def test_the_header_comes_last_and_nothing_else_moves(before: bool, tmp_path: Path) -> None:
    file, media, packed = tmp_path / "source", box(b"mdat", b"m" * 99), compressed(MOOV)
    file.write_bytes(packed + media if before else media + packed)
    plain = with_plain_header(file)
    assert plain != file and plain.suffix not in (".mov", ".mkv")
    free = packed[:4] + b"free" + packed[8:]
    assert plain.read_bytes() == (free + media if before else media + free) + MOOV


@pytest.mark.parametrize(
    "content",
    [
        b"",
        MOOV,
        # Bare streams begin like a box of 64-bit size, which no file has.
        b"\0\0\0\1" + b"\xff" * 60,
        b"\0\0\0\1moov" + b"\x7f" * 60,
        b"\0\0\0\0free" + bytes(60),
        box(b"mdat", b"m" * 99) + MOOV,
        b"\0" * 64,
        compressed(MOOV, b"none"),
        compressed(MOOV, data=b"no zlib at all"),
        compressed(b"\0\0\0\x10evil" + b"x" * 8),
        box(b"moov", box(b"cmov", b"")),
    ],
)
def test_everything_else_stays_as_it_is(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "source"
    file.write_bytes(content)
    assert with_plain_header(file) == file


def test_a_header_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed_header, "LARGEST_HEADER", 2**16)
    file = tmp_path / "source"
    file.write_bytes(compressed(struct.pack(">I4s", 2**20, b"moov") + bytes(2**20 - 8)))
    assert with_plain_header(file).stat().st_size < 2**17

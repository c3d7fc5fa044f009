"""Only a file of boxes has a compressed header."""

from pathlib import Path

import pytest

from services.fetcher.probe.compressed_header import with_plain_header


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\0\1" + b"\xff" * 60, b"\0\0\0\1moov" + b"\x7f" * 60, b"\0\0\0\0free" + bytes(60)]
)
def test_what_is_no_file_of_boxes_is_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "source.bin"
    file.write_bytes(content)
    assert with_plain_header(file) == file

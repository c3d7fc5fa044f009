"""Encrypted files are told to be so, whatever ffmpeg makes of them; old QuickTime headers are read."""

import struct
import zlib
from pathlib import Path
from uuid import UUID

import pytest

from services.fetcher.probe.compressed_header import with_plain_header
from services.fetcher.probe.protection import protected_kinds
from shared.errors import PermanentError
from tests.support.clips import made, written
from tests.support.parts import probed, probed_audio

CHART = ("-f", "lavfi", "-i", "testsrc2=size=128x96:rate=25:duration=1")
TONE = ("-f", "lavfi", "-i", "sine=sample_rate=48000:duration=1")
MP4 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")
KEY = (
    *("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb"),
    *("-encryption_kid", "a7e61c373e219033c21091fa607bf3b8"),
)
PIECES = ("-movflags", "frag_keyframe+empty_moov+default_base_moof")
CONTENT, EXTENDED = "2211b3fb-bd23-11d2-b4b7-00a0c955fc6e", "298ae614-2622-4c17-b935-dae07ee9289c"


def code(file: Path, *, sound: bool = False) -> str:
    with pytest.raises(PermanentError) as caught:
        probed_audio(file) if sound else probed(file)
    return caught.value.code


def asf() -> Path:
    return made("a.asf", *CHART, *TONE, "-c:v", "wmv2", "-c:a", "wmav2")


def with_object(file: Path, guid: str) -> Path:
    """An ASF with one more object in its header."""
    data, note = file.read_bytes(), b"\4\0\0\0aaaa\4\0\0\0DRM\0\4\0\0\0keyi\4\0\0\0http"
    size, count = struct.unpack_from("<QI", data, 16)
    more = UUID(guid).bytes_le + struct.pack("<Q", 24 + len(note)) + note
    head = data[:16] + struct.pack("<QI", size + len(more), count + 1) + data[28:size]
    return written(file.name, head + more + data[size:])


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("guid", [CONTENT, EXTENDED])
def test_protected_windows_media(guid: str, sound: bool) -> None:
    assert code(with_object(asf(), guid), sound=sound) == "input_encrypted"


def test_a_stream_of_windows_media_that_is_marked() -> None:
    data = bytearray(asf().read_bytes())
    place = data.find(UUID("b7dc0791-a9b7-11cf-8ee6-00c00c205365").bytes_le)
    data[place + 73] |= 0x80
    assert protected_kinds(written("a.asf", bytes(data)), "asf") in ({"video"}, {"audio"})


@pytest.mark.parametrize("options", [(), PIECES], ids=["whole", "fragmented"])
@pytest.mark.parametrize("broken", [False, True])
def test_common_encryption(options: tuple[str, ...], broken: bool) -> None:
    file = made("a.mp4", *CHART, *TONE, *MP4, *KEY, *options)
    if broken:
        file = written("a.mp4", _with_unreadable_notes(file.read_bytes()))
    assert code(file) == code(file, sound=True) == "input_encrypted"


def _with_unreadable_notes(data: bytes) -> bytes:
    pieces = data.split(b"senc")
    return b"senc".join([pieces[0], *(piece[:4] + b"\x7f\xff\xff\xff" + piece[8:] for piece in pieces[1:])])


@pytest.mark.parametrize("options", [(), PIECES, ("-movflags", "+faststart")])
def test_what_is_not_encrypted_is_not_said_to_be(options: tuple[str, ...]) -> None:
    assert protected_kinds(made("a.mp4", *CHART, *TONE, *MP4, *options), "mov") == frozenset()
    assert protected_kinds(asf(), "asf") == frozenset()


@pytest.mark.parametrize("options", [(), ("-movflags", "+faststart")], ids=["last", "first"])
def test_a_compressed_header(options: tuple[str, ...], tmp_path: Path) -> None:
    plain = made("a.mov", *CHART, *TONE, *MP4, *options)
    data = plain.read_bytes()
    place = data.find(b"moov") - 4
    size = int.from_bytes(data[place : place + 4], "big")
    file = tmp_path / "source"
    # As long as before, so that nothing that comes after it moves.
    file.write_bytes(data[:place] + _compressed(data[place : place + size]).ljust(size, b"\0") + data[place + size :])
    found = probed(with_plain_header(file)).source
    expected = probed(plain).source
    assert found.video == expected.video and found.audio == expected.audio
    assert found.file == "source.plain"


def _compressed(header: bytes) -> bytes:
    def box(kind: bytes, content: bytes, length: int = 0) -> bytes:
        return struct.pack(">I4s", length or 8 + len(content), kind) + content

    packed = box(b"cmvd", struct.pack(">I", len(header)) + zlib.compress(header))
    inside = box(b"dcom", b"zlib") + packed
    return box(b"moov", box(b"cmov", inside, len(header) - 8), len(header))

"""How long sound files say that they are."""

import struct
from fractions import Fraction

import pytest

from services.fetcher.probe.declared_duration import declared_by_audio, mp3_samples, wav_seconds


def wav(*chunks: tuple[bytes, bytes], data: int, name: bytes = b"RIFF") -> bytes:
    """The beginning of a WAVE file whose data chunk says that it has so many bytes."""
    body = b"".join(kind + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2) for kind, text in chunks)
    return name + struct.pack("<I", 0) + b"WAVE" + body + b"data" + struct.pack("<I", data) + b"\0" * 64


def form(tag: int = 1, block: int = 4, rate: int = 48_000) -> tuple[bytes, bytes]:
    return b"fmt ", struct.pack("<HHIIHH", tag, 2, rate, rate * block, block, 16)


@pytest.mark.parametrize(
    ("head", "seconds"),
    [
        (wav(form(), data=192_000), 1),
        (wav((b"bext", b"x" * 603), form(), data=96_000), Fraction(1, 2)),
        (wav(form(3, 8), data=192_000), Fraction(1, 2)),
        (wav((b"ds64", struct.pack("<QQQI", 0, 2**33, 0, 0)), form(), data=0xFFFFFFFF, name=b"RF64"), Fraction(2**31, 48_000)),
        (wav(form(), data=0xFFFFFFFF), None),
        (wav(form(), data=0x7FFFFFFF - 36), None),
        (wav(form(), data=0), None),
        (wav(form(0x55, 1), data=192_000), None),
        (wav(data=192_000), None),
        (wav(form(), data=192_000)[:40], None),
        (b"RIFF", None),
    ],
)  # fmt: skip
def test_wave(head: bytes, seconds: Fraction | None) -> None:
    assert wav_seconds(head) == seconds


MPEG_1, MPEG_2 = b"\xff\xfb\x90\x64" + b"\0" * 32, b"\xff\xf3\x44\xc0" + b"\0" * 9


@pytest.mark.parametrize(
    ("head", "samples"),
    [
        (MPEG_1 + b"Xing\0\0\0\x0f" + struct.pack(">I", 280) + b"\0" * 40, 280 * 1152),
        (MPEG_1 + b"Info\0\0\0\x01" + struct.pack(">I", 280), 280 * 1152),
        (MPEG_2 + b"Xing\0\0\0\x03" + struct.pack(">I", 280), 280 * 576),
        (MPEG_1 + b"Xing\0\0\0\x0e" + struct.pack(">I", 280), 0),
        (MPEG_1 + b"VBRI" + b"\0" * 10 + struct.pack(">I", 99), 99 * 1152),
        (MPEG_1 + b"\0" * 40, 0),
        (b"", 0),
    ],
)
def test_mp3(head: bytes, samples: int) -> None:
    assert mp3_samples(head) == samples


def test_seconds_go_by_the_rate_of_the_stream() -> None:
    head = MPEG_1 + b"Info\0\0\0\x01" + struct.pack(">I", 100)
    assert declared_by_audio("mp3", head, {"sample_rate": "44100"}) == Fraction(115_200, 44_100)
    assert declared_by_audio("mp3", head, {}) is None
    assert declared_by_audio("caf", b"", {"sample_rate": "48000", "nb_frames": "96000"}) == 2
    assert declared_by_audio("caf", b"", {"sample_rate": "48000"}) is None

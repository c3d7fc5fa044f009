"""Frames of AAC with headers: does their format change?"""

from pathlib import Path

import pytest

from services.fetcher.probe.adts import changes_format

STEREO_48, STEREO_44, SURROUND_48 = (3, 2), (4, 2), (3, 6)


def frame(rate: int, channels: int, payload: int = 300, *, private: bool = False) -> bytes:
    """A frame with the header of ISO/IEC 13818-7 (6.2): ``rate`` is an index, and 3 is 48 kHz."""
    length = 7 + payload
    third = 1 << 6 | rate << 2 | private << 1 | channels >> 2
    fourth = (channels & 3) << 6 | length >> 11
    return bytes((0xFF, 0xF1, third, fourth, length >> 3 & 0xFF, (length & 7) << 5 | 0x1F, 0xFC)) + bytes(payload)


@pytest.mark.parametrize(
    ("frames", "changes"),
    [
        ([frame(*STEREO_48)] * 5, False),
        ([frame(*STEREO_48)] * 3 + [frame(*SURROUND_48)] * 3, True),
        ([frame(*STEREO_48)] * 3 + [frame(*STEREO_44)] * 3 + [frame(*STEREO_48)], True),
        ([frame(*STEREO_48), frame(*STEREO_48, private=True)] * 3, False),
        ([frame(*STEREO_48, payload=size) for size in (8, 100, 2000)], False),
        # Once is damage, as is what lies between frames.
        ([frame(*STEREO_48)] * 3 + [frame(*SURROUND_48)] + [frame(*STEREO_48)] * 3, False),
        ([frame(*STEREO_48), b"\xff\x00\xff\xff", frame(*STEREO_48), b"\xff\xf1"], False),
        ([], False),
        ([b"no frames at all"], False),
    ],
)
def test_a_change_is_two_frames_in_a_row(frames: list[bytes], changes: bool, tmp_path: Path) -> None:
    file = tmp_path / "sound.adts"
    file.write_bytes(b"".join(frames))
    assert changes_format(file) is changes

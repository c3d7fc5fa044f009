"""Maps of encrypted samples, as the checker reads them."""

import pytest

from checker.boxes import boxes_of
from checker.protection import TrackProtection, map_faults
from shared.encryption.boxes import sample_encryption
from shared.mp4.subsamples import Spans

SOUND = TrackProtection("cbcs", 1, True, (0, 0), 0, "0" * 32, "1" * 32)


def box(kind: bytes, payload: bytes) -> bytes:
    return (8 + len(payload)).to_bytes(4) + kind + payload


@pytest.mark.parametrize(
    ("spans", "faults"),
    [
        ((), []),
        (((0, 64),), []),
        (((64, 0),), ["clear bytes in a sample that is encrypted from end to end"]),
        (((1, 63),), ["clear bytes in a sample that is encrypted from end to end"]),
    ],
)
def test_no_part_of_sound_stays_in_the_clear(spans: Spans, faults: list[str]) -> None:
    moof = box(b"moof", box(b"traf", sample_encryption([spans], 16)))
    (read,) = boxes_of(memoryview(moof))
    assert list(map_faults(read, SOUND, [memoryview(bytes(64))], None)) == faults

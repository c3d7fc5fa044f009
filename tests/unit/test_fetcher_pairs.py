"""Two packets that are one frame."""

from array import array

import pytest

from services.fetcher.probe.packets import NO_TIME, VideoPackets, read_packets
from services.fetcher.probe.pairs import join_pairs


def packets(*lines: str) -> VideoPackets:
    """Each written ``pts duration flags``; N is none."""
    cells = (line.replace("N", "N/A").split() for line in lines)
    return read_packets((f"0,{pts},{pts},{length},9,0,{flags}" for pts, length, flags in cells), 0).video


def dated(frames: int, step: int = 40) -> list[str]:
    """For each frame a field with a time and one without."""
    return [
        line
        for n in range(frames)
        for line in (f"{n * step} 20 {'K__' if n % 5 == 0 else '___'}", "N 20 ___")
    ]  # fmt: skip


def test_a_second_field_without_a_time_belongs_to_the_one_before() -> None:
    joined = join_pairs(packets(*dated(10)), [0, 40, 80, 120], 4)
    assert joined.pts == array("q", range(0, 400, 40))
    assert set(joined.duration) == {40} and list(joined.flags).count(1) == 2


def test_frames_may_be_mixed_with_pairs_of_fields() -> None:
    lines = ["0 40 K__", "40 20 ___", "N 20 ___", "80 40 ___", "120 20 ___", "N 20 ___"]
    assert list(join_pairs(packets(*lines), [0, 40, 80, 120], 2).pts) == [0, 40, 80, 120]


def test_the_first_one_may_be_half_a_frame() -> None:
    assert list(join_pairs(packets("N 20 ___", *dated(8)), [0, 40, 80], 5).pts) == list(range(0, 320, 40))


@pytest.mark.parametrize(
    ("lines", "decoded", "undecoded"),
    [
        ([f"{n * 40} 40 K__" for n in range(8)], [0, 40, 80, 120], 0),
        (dated(8), [0, 20, 40, 60, 80], 0),
        (dated(8), [0, None, 40, None], 0),
        (dated(8), [0, 80, 160, 240], 0),
        (dated(8), [], 0),
        (["N 40 K__", *["N 40 ___"] * 9], [None] * 10, 0),
        (["N 40 ___"] * 6 + ["N 40 K__"] + ["N 40 ___"] * 9, [None] * 10, 6),
    ],
)
def test_frames_without_a_time_stay_frames(lines: list[str], decoded: list[int | None], undecoded: int) -> None:
    found = packets(*lines)
    assert join_pairs(found, decoded, undecoded) is found


@pytest.mark.parametrize("cut", [0, 4])
def test_fields_of_a_bare_stream(cut: int) -> None:
    found = packets(*["N 20 ___"] * cut, "N 20 K__", *["N 20 ___"] * 15)
    joined = join_pairs(found, [None] * 8, cut + 8)
    assert len(joined) == cut // 2 + 8 and set(joined.duration) == {40}
    assert joined.pts.count(NO_TIME) == len(joined)

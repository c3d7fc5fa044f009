"""Closed captions of the source are in the output: each byte pair once, in order, across the seams of parts."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.mp4.bmff import read_movie
from shared.mp4.captions import Triplet, read_captions
from tests.support.captioned import captioned, number_of, pair
from tests.support.parts import encode, fetched

SECONDS = 8
RESUME: Triplet = (0, 0x14, 0x20)


class Case(NamedTuple):
    """A source with captions: pictures per second, what each one carries, and the rate that comes out."""

    rate: str
    triplets: Callable[[int], Sequence[Triplet]]
    result: str
    interlaced: bool = False


def both_fields(picture: int) -> list[Triplet]:
    return [pair(picture), pair(picture, field=1)]


CASES = {
    "as broadcast": Case("30000/1001", both_fields, "30000/1001"),
    "fewer than a film has room for": Case("24", both_fields, "24"),
    # As much as four pictures have room for in one; also just before the seam, which is at 144.
    "in heaps": Case("24", lambda n: [pair(n + k) for k in range(12)] if n in (0, 70, 142) else [], "24"),
    "no room is reserved": Case("25", both_fields, "25"),
    "fields": Case("30000/1001", both_fields, "60000/1001", interlaced=True),
    "fields without reserved room": Case("25", both_fields, "50", interlaced=True),
    "every other picture": Case("120", lambda n: [pair(n // 4, field=n // 2 % 2)] if n % 2 == 0 else [], "60"),
}


@pytest.mark.parametrize("name", CASES)
def test_every_pair_arrives_once_and_in_time(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    file = captioned(case.rate, SECONDS, case.triplets, interlaced=case.interlaced)
    event = fetched(file)
    assert event.source.video.captions
    assert event.plan.frame_rate == Fraction(case.result)
    assert len(event.plan.video) == 2
    made = encode(event, file, tmp_path)
    shown = pictures(made.join("144p"), event.plan.frame_ticks)
    given = [case.triplets(number) for number in range(SECONDS * int(Fraction(case.rate) + Fraction(1, 2)))]
    for field in (0, 1):
        expected = times(given, Fraction(case.rate), field)
        found = times(shown, event.plan.frame_rate, field)
        assert [number for number, _ in found] == [number for number, _ in expected]
        # A heap is dealt out over the next pictures.
        assert all(abs(late - early) < 0.25 for (_, early), (_, late) in zip(expected, found, strict=True))


def times(shown: Sequence[Sequence[Triplet]], rate: Fraction, field: int) -> list[tuple[int, float]]:
    """The numbers that pairs of a field stand for, and when they are shown (seconds)."""
    return [
        (number_of(triplet), float(number / rate))
        for number, triplets in enumerate(shown)
        for triplet in triplets
        if triplet[0] == field
    ]


def pictures(file: Path, ticks: int) -> list[list[Triplet]]:
    """The captions of every picture of a stream, in the order of showing."""
    data = file.read_bytes()
    found: list[tuple[int, list[Triplet]]] = []
    for fragment in read_movie(data).fragments:
        position = fragment.data
        for number, (size, offset) in enumerate(zip(fragment.sizes, fragment.offsets, strict=True)):
            time = fragment.decode_time + number * ticks + offset
            found.append((time, read_captions(data[position : position + size])))
            position += size
    return [triplets for _, triplets in sorted(found, key=lambda picture: picture[0])]


def test_channels_are_told(tmp_path: Path) -> None:
    def triplets(number: int) -> list[Triplet]:
        return [RESUME if number % 30 == 0 else pair(number), (3, 0x42, 0x22), (2, 0x48, 0x69), (2, 0, 0)]

    file = captioned("30", 8, triplets)
    made = encode(fetched(file), file, tmp_path)
    assert {track.captions for _, track in made.tracks("144p")} == {("CC1", "SERVICE1")}

"""The simulated fleet: jobs go through the real services to their end, and what was worked is what was asked for."""

from pathlib import Path

import pytest

from tests.chaos.fleet import JOBS, mixed, opened, run
from tests.chaos.standins import film


async def test_a_small_fleet(tmp_path: Path) -> None:
    lengths, slots, ideal = [120, 40], 4, 3.0
    with opened(tmp_path) as field:
        figures = await run(field, tmp_path / "space", slots, lengths, ideal)
    assert figures.parts == sum(len(film(length)[1].video) for length in lengths)
    assert figures.worked == pytest.approx(slots * ideal)
    assert figures.wall >= ideal
    assert 0 < figures.busy <= 1


def test_jobs_are_mixed_the_same_way_every_time() -> None:
    assert mixed(JOBS) == mixed(JOBS)
    assert min(mixed(JOBS)) < 20
    assert max(mixed(JOBS)) > 1000

"""What counts as flat in a soak."""

from tests.chaos.soak import Sample, growing, table


def samples(*uploader: float) -> list[Sample]:
    return [Sample(500 * number, {"api": 100.0, "uploader": mebibytes}) for number, mebibytes in enumerate(uploader)]


def test_filling_caches_in_the_first_half_is_no_growth() -> None:
    assert growing(samples(90, 130, 145, 146, 150)) == []


def test_growth_with_the_jobs_is_found() -> None:
    assert growing(samples(90, 120, 150, 180, 210)) == ["uploader grew from 150 to 210 MiB between 1000 and 2000 jobs"]


def test_the_table_has_a_line_for_each_service() -> None:
    assert [line.split() for line in table(samples(90, 130)).splitlines()] == [
        ["resident", "MiB", "0", "jobs", "500", "jobs"],
        ["api", "100", "100"],
        ["uploader", "90", "130"],
    ]

"""What counts as flat in a soak."""

from tests.chaos.soak import Sample, growing, table


def samples(*uploader: float, series: tuple[int, ...] = ()) -> list[Sample]:
    return [
        Sample(500 * number, {"api": 100.0, "uploader": mebibytes}, {"api": series[number] if series else 200})
        for number, mebibytes in enumerate(uploader)
    ]


def test_filling_caches_in_the_first_half_is_no_growth() -> None:
    assert growing(samples(90, 130, 145, 146, 150)) == []


def test_growth_with_the_jobs_is_found() -> None:
    assert growing(samples(90, 120, 150, 180, 210)) == ["uploader grew from 150 to 210 MiB between 1000 and 2000 jobs"]


def test_series_that_grow_with_the_jobs_are_found() -> None:
    flat = (90.0,) * 5
    assert growing(samples(*flat, series=(150, 190, 200, 205, 210))) == []
    assert growing(samples(*flat, series=(150, 190, 200, 250, 300))) == [
        "api has 300 series after 2000 jobs, and had 200 after 1000"
    ]


def test_the_tables_have_a_line_for_each_service() -> None:
    assert [line.split() for line in table(samples(90, 130)).splitlines()] == [
        ["resident", "MiB", "0", "jobs", "500", "jobs"],
        ["api", "100", "100"],
        ["uploader", "90", "130"],
        ["series", "0", "jobs", "500", "jobs"],
        ["api", "200", "200"],
    ]

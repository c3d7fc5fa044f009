"""The files of the migrations."""

from pathlib import Path

import pytest

from services.api.database.migrate import migrations


def test_ours_are_in_order() -> None:
    assert [migration.number for migration in migrations()] == list(range(1, len(migrations()) + 1))
    assert migrations()[0].name == "0001_initial"


@pytest.mark.parametrize(
    "names", [["0001_a.sql", "0003_c.sql"], ["0001_a.sql", "0001_b.sql"], ["1_a.sql"], ["0002_a.sql"]]
)
def test_a_gap_a_twin_or_a_wrong_name_is_an_error(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("select 1;")
    with pytest.raises(ValueError, match="migration"):
        migrations(tmp_path)

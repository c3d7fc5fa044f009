"""docs/reliability.md names its proofs, and there are such tests."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reliability.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| **", "| Fault"))]


def test_every_fault_names_a_test() -> None:
    faults = [row for row in ROWS if row.count("|") == 5]
    assert len(faults) > 30
    assert [row.split("|")[1].strip() for row in faults if "::test_" not in row] == []


def test_the_tests_that_are_named_exist() -> None:
    named = set(re.findall(r"`(test_\w+)\.py::(test_\w+)`", PAGE))
    assert named
    assert sorted(f"{file}::{name}" for file, name in named if not _exists(file, name)) == []


def _exists(file: str, name: str) -> bool:
    return any(f"def {name}(" in path.read_text() for path in (ROOT / "tests").glob(f"*/{file}.py"))

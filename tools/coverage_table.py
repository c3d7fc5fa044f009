"""``python -m tools.coverage_table``: what the last run of the tests has covered, a line for each package.

Only the tests' own process is measured. What the services do as processes of their own, in the tests of whole stacks above
all, does not count, so the code at their edges is better covered than it looks.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from coverage import Coverage


def table(files: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """Lines to print.

    Args:
        files: statements of each module by its path from the root, and how many of them were run.
    """
    statements, covered = Counter[str](), Counter[str]()
    for path, (all_of_it, run) in files.items():
        if not all_of_it:
            continue
        folders = path.split("/")[:-1]
        for package in ("/".join(folders[:2] if folders[0] == "services" else folders[:1]), "total"):
            statements[package] += all_of_it
            covered[package] += run
    yield f"{'package':<20}{'statements':>12}{'covered':>10}"
    for package in sorted(statements, key=lambda name: (name == "total", name)):
        # Rounded down: 100 % is said of what is whole.
        percent = 100 * covered[package] // statements[package]
        yield f"{package:<20}{statements[package]:>12,}{percent:>8} %"


def main() -> None:
    """Print the table of the data file that lies in the working directory."""
    measured = Coverage()
    measured.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        measured.json_report(outfile=str(report))
        files = json.loads(report.read_text())["files"]
    rows = {path: (row["summary"]["num_statements"], row["summary"]["covered_lines"]) for path, row in files.items()}
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()

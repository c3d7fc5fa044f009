"""The table that a run of the tests ends with."""

from tools.coverage_table import table


def test_modules_count_for_their_package_and_for_the_total() -> None:
    files = {
        "services/api/http/app.py": (90, 45),
        "services/api/serve.py": (10, 5),
        "services/fetcher/fetch.py": (2, 2),
        "services/__init__.py": (0, 0),
        "shared/bus/work.py": (1000, 999),
    }
    assert [line.split() for line in table(files)] == [
        ["package", "statements", "covered"],
        ["services/api", "100", "50", "%"],
        ["services/fetcher", "2", "100", "%"],
        ["shared", "1,000", "99", "%"],
        ["total", "1,102", "95", "%"],
    ]

"""The table that the benchmark prints."""

from stack.bench.run import Measure, comparison
from tests.unit.test_stack_demo import rendered


def test_the_comparison_shows_both_and_their_ratio() -> None:
    own, plain = Measure(30, 50, 1_000, ""), Measure(40, 40, 1_000, "")
    text = rendered(comparison(own, plain, 60, transcoders=2))
    rows = {line.split("│")[1].strip(): line for line in text.splitlines() if "│" in line}
    assert "2 transcoders" in text
    assert "0.75" in rows["wall seconds"]
    assert "1.25" in rows["CPU-seconds"]
    assert "2.00" in rows["times real time"] and "1.50" in rows["times real time"]

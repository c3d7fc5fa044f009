"""What the benchmark makes of its runs, and when it does not let itself be quoted."""

from dataclasses import replace

import pytest

from stack.bench.machine import Machine, Used, busy_seconds, taken, why_busy
from stack.bench.others import BASELINE
from stack.bench.report import Report, Result
from stack.bench.run import turns
from stack.bench.ways import Millrace, Run

OWN = Result("millrace", "Millrace", [Run(30, 50, 900), Run(33, 48, 900), Run(90, 49, 900)])
PLAIN = Result("baseline", "plain ffmpeg + upload", [Run(44, 80, 1000), Run(41, 70, 1000), Run(40, 72, 1000)])
REPORT = Report(
    made="2026-11-28T10:00:00+00:00",
    revision="v1",
    machine=Machine(2, "a processor", (0.1, 0.2, 0.3)),
    clip={"name": "film.mp4", "seconds": 66.0, "width": 1920, "height": 1080, "frame_rate": 24.0},
    seed=1,
    transcoders=1,
    resolutions=("240p",),
    profile="balanced",
    idle_taken=0.01,
    results=[OWN, PLAIN],
)


def row(report: Report, title: str) -> list[str]:
    line = next(line for line in report.markdown() if line.startswith(f"| {title} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_medians_and_what_ours_is_to_it() -> None:
    assert row(REPORT, "Millrace") == ["Millrace", "3", "33.0", "49.0", "2.00", "900", "", "", "0.0%"]
    expected = ["plain ffmpeg + upload", "3", "41.0", "72.0", "1.61", "1,000", "0.80", "0.68", "0.0%"]
    assert row(REPORT, "plain ffmpeg + upload") == expected
    assert REPORT.as_json()["ratios"] == {"baseline": {"wall": 33 / 41, "cpu": 49 / 72}}


@pytest.mark.parametrize(
    "busy",
    [
        replace(REPORT, idle_taken=0.2),
        replace(REPORT, results=[OWN, replace(PLAIN, runs=[*PLAIN.runs, Run(41, 72, 1000, taken=0.2)])]),
    ],
)
def test_what_a_busy_machine_gave_has_no_ratios_and_says_why(busy: Report) -> None:
    text = "\n".join(busy.markdown())
    assert "**Not to be quoted**: others took 20% of the processors" in text
    assert row(busy, "plain ffmpeg + upload")[6:8] == ["", ""]
    found = busy.as_json()
    assert not found["quotable"] and not found["ratios"] and "20%" in found["why_not"]


def test_ways_take_turns_and_a_seed_decides_who_begins() -> None:
    ways = (Millrace(), BASELINE)
    orders = {tuple(way.name for way in turns(ways, 3, seed)) for seed in range(20)}
    assert orders == {("millrace", "baseline") * 3, ("baseline", "millrace") * 3}
    assert turns(ways, 2, 7) == turns(ways, 2, 7)


def test_what_others_take_is_what_is_neither_idle_nor_ours() -> None:
    # Ten seconds of two processors: twelve busy, nine of them ours.
    assert taken(Used(0, 100, 50), Used(10, 112, 59), processors=2) == pytest.approx(0.15)
    assert taken(Used(0, 100, 50), Used(10, 109, 59.1), processors=2) == 0, "the two clocks tick differently"


def test_time_of_another_guest_counts_as_busy_and_waiting_for_a_disk_does_not() -> None:
    assert busy_seconds("cpu  100 200 300 9999 9999 400 500 600 0 0\ncpu0 1 1\n") == pytest.approx(21)


def test_a_quiet_machine_is_not_called_busy() -> None:
    assert why_busy({"before": 0.0, "during": 0.05}) is None
    assert why_busy({"before": 0.0, "during": 0.051}) is not None

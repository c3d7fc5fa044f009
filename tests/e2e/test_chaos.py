"""A short run of the chaos behind ``make chaos``: other services die, stop and hang at other moments for each seed."""

from pathlib import Path

from tests.chaos.report import table
from tests.chaos.run import Plan, run

PLAN = Plan(seed=7, jobs=10, seconds=12, pace=1.2, patience=90)


async def test_every_job_comes_to_its_right_end_once(tmp_path: Path) -> None:
    said: list[str] = []
    report = await run(PLAN, tmp_path / "state", say=said.append)
    story = "\n".join([*said, table(report), *report.violations])
    assert not report.violations, story
    assert len(report.fates) == PLAN.jobs, story
    # A run that hits nothing proves nothing.
    assert len({blow.name for blow in report.blows}) >= 8, story
    assert report.ends["completed"] >= 5, story

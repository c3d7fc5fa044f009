"""A rolling update under load, between the schema of events of the version before and that of today; `make rolling` takes two versions."""

from pathlib import Path

from shared.events import PartRequested
from tests.rolling.run import Turn, roll
from tests.rolling.site import site
from tests.rolling.versions import WORKING_TREE, Version

WORKERS = ("fetcher", "transcoder", "uploader", "notifier")
EARLIER = Version("schema of before", launcher="tests.support.earlier")


async def test_services_go_over_one_after_the_other_and_back_while_jobs_come_in(tmp_path: Path) -> None:
    said: list[str] = []
    turns = [Turn(WORKING_TREE, (*WORKERS, "api")), Turn(EARLIER, ("transcoder", "uploader", "fetcher"))]
    async with site(EARLIER, tmp_path, WORKERS) as made:
        outcome = await roll(made, turns, pace=1, most=3, say=said.append)
        logs = [line for service in made.services.values() for line in service.complaints()]
    story = "\n".join([*said, *outcome.findings, *logs])
    assert not outcome.findings, story
    assert outcome.ends["completed"] >= 6, story
    requests = [event for fate in outcome.fates for event in fate.events if isinstance(event, PartRequested)]
    assert {request.left is None for request in requests} == {True, False}, "both have written"
    assert not logs, story

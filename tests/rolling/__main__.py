"""``python -m tests.rolling``, with ``OLD`` (a revision) and ``SEED`` out of the environment, as ``make rolling`` hands them over."""

import asyncio
import logging
import os
import sys
import tempfile
from pathlib import Path

from tests.rolling.run import Outcome, roll, there_and_back
from tests.rolling.site import site
from tests.rolling.versions import WORKING_TREE, NoVersion, Version, default_revision, of_revision


def main() -> int:
    """Run, and say what became of the jobs; the exit status is 1 where any promise was broken."""
    # Connections of this process break off where a service stops.
    for name in ("aiohttp.server", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="millrace-rolling-") as folder:
        try:
            revision = os.environ.get("OLD") or default_revision()
            old = of_revision(revision, Path(folder))
        except NoVersion as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(f"from {old.name} ({revision}) to the working tree and back, twice", flush=True)
        outcome = asyncio.run(_run(old, Path(folder), int(os.environ.get("SEED") or 1)))
    print(f"{outcome.ends.total()} jobs: " + ", ".join(f"{jobs} {end}" for end, jobs in outcome.ends.most_common()))
    for finding in outcome.findings:
        print(f"VIOLATION {finding}")
    print("FAILED" if outcome.findings else "Nothing lost, nothing twice.")
    return 1 if outcome.findings else 0


async def _run(old: Version, folder: Path, seed: int) -> Outcome:
    async with site(old, folder) as made:
        return await roll(made, there_and_back(old, WORKING_TREE), seed=seed, say=_say)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""``python -m tests.chaos``, with ``SEED``, ``JOBS`` and ``MINUTES`` out of the environment, as ``make chaos`` hands them over."""

import asyncio
import logging
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.report import Report, table
from tests.chaos.run import Plan, run


def main() -> int:
    """Run, and print the table; the exit status is 1 where any promise was broken."""
    seed = int(os.environ.get("SEED") or secrets.randbelow(1_000_000))
    jobs = int(os.environ.get("JOBS") or 60)
    minutes = float(os.environ.get("MINUTES") or 4)
    again = f"make chaos SEED={seed} JOBS={jobs} MINUTES={minutes:g}"
    print(f"seed {seed}: {jobs} jobs within {minutes:g} minutes; again: {again}", flush=True)
    # Connections of this process break off on purpose.
    for name in ("aiohttp.server", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="millrace-chaos-"))
    report = asyncio.run(run(Plan(seed, jobs, minutes * 60), folder / "state", say=_say))
    _print(report)
    if report.violations:
        print(f"\nThe logs are in {folder}/state/log. Again: {again}")
        return 1
    shutil.rmtree(folder)
    return 0


def _print(report: Report) -> None:
    print(f"\n{table(report)}\n")
    print(f"{len(report.fates)} jobs: " + ", ".join(f"{count} {end}" for end, count in report.ends.items()))
    for violation in report.violations:
        print(f"VIOLATION {violation}")
    print("FAILED" if report.violations else "Nothing lost, nothing twice.")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Makes the samples, sends them, and writes the page: ``python -m tools.formats [--port-base N]``."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from services.fetcher.plan.normalise import RULES
from stack import envfile, lifecycle
from stack.client import Client
from stack.layout import REPOSITORY, Layout, StackError
from tools.formats.page import Outcome, page
from tools.formats.samples import SAMPLES, Sample

PAGE = REPOSITORY / "docs" / "formats.md"
_AT_ONCE = 8


def main() -> int:
    """Run; the exit status is 1 where a sample could not be made or an accepted one did not complete."""
    parser = argparse.ArgumentParser(prog="python -m tools.formats", description=__doc__)
    parser.add_argument("--port-base", type=int, default=24_000, help="the first of a hundred free ports")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="millrace-formats-") as folder:
        layout = Layout(Path(folder) / "state", options.port_base)
        lifecycle.up(layout)
        try:
            outcomes = asyncio.run(send_all(layout, SAMPLES, Path(folder)))
        finally:
            lifecycle.down(layout.state)
    PAGE.write_text(page(outcomes, ((rule.name, rule.sentence) for rule in RULES)))
    wrong = [outcome for outcome in outcomes if not _as_expected(outcome)]
    for outcome in wrong:
        said = f"{outcome.job['error_code']}: {outcome.job['error_detail']}" if outcome.job else "could not be made"
        print(f"{outcome.sample.what}: {said}", file=sys.stderr)
    print(f"wrote {PAGE}: {len(outcomes)} samples, {len(wrong)} not as expected")
    return 1 if wrong else 0


async def send_all(layout: Layout, samples: Sequence[Sample], folder: Path) -> list[Outcome]:
    """Send every sample, a few at a time."""
    turns = asyncio.Semaphore(_AT_ONCE)
    async with Client(envfile.read(layout.env_file)) as client:

        async def one(number: int, sample: Sample) -> Outcome:
            async with turns:
                return await _send(client, sample, folder, number)

        return await asyncio.gather(*(one(number, sample) for number, sample in enumerate(samples)))


async def _send(client: Client, sample: Sample, folder: Path, number: int) -> Outcome:
    try:
        path = await asyncio.to_thread(sample.make, folder, number)
    except StackError as error:
        print(f"{sample.what}: {error}", file=sys.stderr)
        return Outcome(sample, None)
    key = f"formats/{path.name}"
    await client.upload(path, key)
    source, output = client.location(key, with_keys=True), client.location(f"formats/out/{number:03d}/")
    body = {"input_path": source, "output_path": output, "resolutions": ["144p"], "profile": "fast"}
    return Outcome(sample, await client.run(body))


def _as_expected(outcome: Outcome) -> bool:
    expected = "error" if outcome.sample.group == "Refused" else "completed"
    return outcome.job is not None and outcome.job["status"].lower() == expected


if __name__ == "__main__":
    sys.exit(main())

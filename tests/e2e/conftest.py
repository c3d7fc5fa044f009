"""One stack for all end-to-end tests; a test that wants another setting starts its own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.client import Client
from tests.support import watch
from tests.support.jobs import LONG_RESOLUTIONS, Outcome, complete, long_clip
from tests.support.ports import free_port_base
from tests.support.sources import source_server
from tests.support.stack import RunningStack, running_stack

SETTINGS = {
    # The schedule of webhook attempts, in seconds, made short enough to watch.
    "MILLRACE_NOTIFIER_RETRY_SECONDS": "0,1,2,4",
    "MILLRACE_LOG_LEVEL": "debug",
}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A running stack with one transcoder."""
    slow = tmp_path_factory.mktemp("watch") / "slow"
    with running_stack(
        tmp_path_factory.mktemp("stack"), free_port_base(), env=SETTINGS | watch.environment(slow)
    ) as running:
        yield running
    # Services alone, and longer than elsewhere: they start cold again after every kill, collect garbage after many jobs, and
    # encoders want the same two cores. What works for long shows all the same.
    stood_still = [
        line for line in watch.slow_callbacks(slow) if "/services/" in line and watch.milliseconds(line) > 250
    ]
    assert not stood_still, "\n".join(stood_still)


@pytest.fixture(scope="session")
def by_http(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A clip of more than 40 s out of an HTTP server that allows ranges, made by one transcoder."""
    return asyncio.run(_by_http(stack, tmp_path_factory.mktemp("by-http")))


async def _by_http(stack: RunningStack, folder: Path) -> Outcome:
    clip = long_clip()
    async with source_server() as source, Client(stack.env) as client:
        body = {
            "input_url": source.host(clip.name, clip.read_bytes()),
            "output_path": client.location("e2e/by-http/", with_keys=True),
            "resolutions": LONG_RESOLUTIONS,
            "client_metadata": {"b": 1, "a": [1.50, "é"]},
        }
        return await complete(stack, body, folder)

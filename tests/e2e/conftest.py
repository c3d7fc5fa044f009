"""One stack for all end-to-end tests; a test that wants another setting starts its own."""

from collections.abc import Iterator

import pytest

from tests.support import watch
from tests.support.stack import RunningStack, free_port_base, running_stack

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
    # Services alone, and twice as long: they start cold again after every kill, while encoders want the same two cores.
    stood_still = [
        line for line in watch.slow_callbacks(slow) if "/services/" in line and watch.milliseconds(line) > 100
    ]
    assert not stood_still, "\n".join(stood_still)

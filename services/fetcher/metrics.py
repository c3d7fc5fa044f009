"""What the fetcher tells beside what all workers do."""

import asyncio
from collections.abc import Callable

import structlog
from prometheus_client import Counter, Gauge, Histogram

from shared.logs import Repetition
from shared.metrics import JOB_SECONDS, REGISTRY

FETCHED_BYTES = Counter(
    "millrace_fetched_bytes_total",
    "Bytes of sources that were downloaded and written to the work space",
    registry=REGISTRY,
)
STEP_SECONDS = Histogram(
    "millrace_fetch_step_seconds",
    "How long a step of fetching took: download, probe (with its remux and trial), plan or keys; failed ones too",
    ["step"],
    buckets=(0.1, *JOB_SECONDS),
    registry=REGISTRY,
)
WORKSPACE_FREE = Gauge(
    "millrace_workspace_free_bytes",
    "Bytes that can still be written to the work space, without what downloads under way have reserved",
    registry=REGISTRY,
)
WORKSPACE_RESERVE = Gauge(
    "millrace_workspace_reserve_bytes", "Bytes of the work space that downloads leave free", registry=REGISTRY
)

_LOOK_SECONDS = 15.0


async def watch_workspace(free_bytes: Callable[[], int], reserve: int) -> None:
    """Tell how much room the work space has, until cancelled.

    Args:
        free_bytes: called in a thread; may raise anything.
    """
    WORKSPACE_RESERVE.set(reserve)
    repetition = Repetition()
    while True:
        try:
            WORKSPACE_FREE.set(await asyncio.to_thread(free_bytes))
        except Exception as error:
            # Nothing depends on it, so that nothing may end for it.
            if repetition.is_due():
                await structlog.get_logger().awarning("free space not measured", error=repr(error))
        await asyncio.sleep(_LOOK_SECONDS)

"""Python loads this at its start, where this folder is on its path: it watches the process's event loops.

``SLOW_CALLBACKS`` names the file that every callback which is too slow gets a line in. Processor time of the thread counts, not
the time on the clock: a busy machine must not fail a test.
"""

import asyncio.events
import os
import sys
import time
from pathlib import Path

LIMIT_SECONDS = 0.05
_run = asyncio.events.Handle._run


def _watched(self: asyncio.events.Handle) -> None:
    begin = time.thread_time()
    _run(self)
    took = time.thread_time() - begin
    if took > LIMIT_SECONDS:
        line = f"{took * 1000:.0f} ms in {' '.join(sys.argv)[-80:]}: {self!r}\n"
        with Path(os.environ["SLOW_CALLBACKS"]).open("a") as file:
            file.write(line)


if "SLOW_CALLBACKS" in os.environ:
    asyncio.events.Handle._run = _watched  # type: ignore[method-assign]

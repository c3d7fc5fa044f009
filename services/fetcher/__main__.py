"""Starts the fetcher: settings, wiring, run."""

import asyncio
from contextlib import AsyncExitStack

from services.fetcher.handlers import register
from services.fetcher.settings import FetcherSettings
from shared.settings import settings_or_exit
from shared.worker import run_worker


async def run(settings: FetcherSettings) -> None:
    """Run until SIGTERM."""
    async with AsyncExitStack() as resources:
        await run_worker(settings, lambda bus: register(bus, settings, resources))


if __name__ == "__main__":
    asyncio.run(run(settings_or_exit(FetcherSettings)))

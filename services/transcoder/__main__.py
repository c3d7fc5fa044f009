"""Starts the transcoder: settings, wiring, run."""

import asyncio
from contextlib import AsyncExitStack

from services.transcoder.handlers import register
from services.transcoder.settings import TranscoderSettings
from shared.settings import settings_or_exit
from shared.worker import run_worker


async def run(settings: TranscoderSettings) -> None:
    """Run until SIGTERM."""
    async with AsyncExitStack() as resources:
        await run_worker(settings, lambda bus: register(bus, settings, resources))


if __name__ == "__main__":
    asyncio.run(run(settings_or_exit(TranscoderSettings)))

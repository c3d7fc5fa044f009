"""Starts the notifier: settings, wiring, run."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from services.notifier.handlers import register
from services.notifier.receiver import Receiver
from services.notifier.settings import NotifierSettings
from shared.settings import settings_or_exit
from shared.worker import run_worker


async def run(settings: NotifierSettings) -> None:
    """Run until SIGTERM or SIGINT."""
    # Names are resolved in threads; as many as there are slots, so that a dead name server of one customer stops no other.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(settings.slots + 4))
    async with Receiver(timeout=settings.timeout_seconds, policy=settings.address_policy) as receiver:
        await run_worker(settings, lambda bus: register(bus, settings, receiver), side_work=True)


if __name__ == "__main__":
    asyncio.run(run(settings_or_exit(NotifierSettings)))

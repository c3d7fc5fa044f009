"""``python -m services.fetcher``."""

import asyncio

from services.fetcher.handlers import register
from services.fetcher.settings import FetcherSettings
from shared.settings import settings_or_exit
from shared.worker import run_worker


def main() -> None:
    """Run the fetcher until SIGTERM."""
    settings = settings_or_exit(FetcherSettings)
    asyncio.run(run_worker(settings, lambda bus: register(bus, settings)))


if __name__ == "__main__":
    main()

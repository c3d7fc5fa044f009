"""Starts the transcoder: settings, wiring, run."""

import asyncio

from services.transcoder.handlers import register
from services.transcoder.settings import TranscoderSettings
from shared.settings import settings_or_exit
from shared.worker import run_worker


def main() -> None:
    """Run until SIGTERM."""
    settings = settings_or_exit(TranscoderSettings)
    asyncio.run(run_worker(settings, lambda bus: register(bus, settings)))


if __name__ == "__main__":
    main()

"""``python -m services.api``."""

import asyncio

from services.api.processes import processes_wanted, run_processes
from services.api.serve import serve
from services.api.settings import ApiSettings
from shared.settings import settings_or_exit


def main() -> None:
    """Serve in one process or in several."""
    settings = settings_or_exit(ApiSettings)
    count = processes_wanted(settings.processes)
    if count == 1:
        asyncio.run(serve(settings))
        return
    places = {settings.port: settings.host}
    if settings.health_port:
        places.setdefault(settings.health_port, settings.health_host)
    listening = [(host, port) for port, host in places.items()]
    raise SystemExit(run_processes(count, listening, lambda member: asyncio.run(serve(settings, member))))


if __name__ == "__main__":
    main()

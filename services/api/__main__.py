"""``python -m services.api``."""

import asyncio

from services.api.serve import serve
from services.api.settings import ApiSettings
from shared.settings import settings_or_exit

if __name__ == "__main__":
    asyncio.run(serve(settings_or_exit(ApiSettings)))

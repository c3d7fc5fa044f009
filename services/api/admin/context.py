"""What the operator's commands work with."""

from dataclasses import dataclass

from services.api.accounts.organizations import Storages
from services.api.accounts.passwords import Passwords
from services.api.database.pool import Database, Pool
from services.api.settings import ApiSettings


@dataclass(frozen=True)
class AdminContext:
    """What the commands work with."""

    settings: ApiSettings
    pool: "Pool"
    database: Database
    passwords: Passwords
    storages: Storages

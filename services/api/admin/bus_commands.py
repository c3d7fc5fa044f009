"""The commands for bus users: who may follow an organization's jobs on the bus."""

import argparse

from pydantic import SecretStr

from services.api.accounts.directory import NotPossible, require_organization
from services.api.admin.context import AdminContext
from services.api.admin.showing import print_table
from services.api.contract.listing import Window
from services.api.feed.signing import Issuer, new_seed
from services.api.feed.users import create_bus_user, list_bus_users, revoke_bus_user, rotate_bus_user
from shared.payload import timestamp


async def new_bus_keys(_: AdminContext, __: argparse.Namespace) -> None:
    """Print a new key for signing bus users, as lines for .env: the public half is for NATS, the seed for the api."""
    seed = new_seed()
    print(f"NATS_ISSUER={Issuer(SecretStr(seed)).name}\nMILLRACE_API_BUS_ISSUER_SEED={seed}")


async def create(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Create a user of the bus for an organization; its password is shown this once."""
    async with context.database.transaction() as connection:
        await require_organization(connection, arguments.organization)
        row, password = await create_bus_user(
            connection, arguments.organization, arguments.name, context.settings.bus_users_per_organization
        )
    print(f"{row['username']} {password}")


async def list_all(context: AdminContext, arguments: argparse.Namespace) -> None:
    """List the bus users of an organization, oldest first."""
    async with context.database.connection() as connection:
        await require_organization(connection, arguments.organization)
        rows = await list_bus_users(connection, arguments.organization, Window(size=arguments.limit))
    print_table(
        ("ID", "USER", "NAME", "CREATED", "ROTATED"),
        [
            (row["id"], row["username"], row["name"] or "-", timestamp(row["created"]), timestamp(row["rotated"]))
            for row in rows
        ],
    )


async def rotate(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Give a bus user a new password, shown this once. Connections with the old one end within seconds."""
    async with context.database.connection() as connection:
        row, password = await rotate_bus_user(connection, arguments.organization, arguments.user)
    _require(row is not None, arguments)
    print(f"{row['username']} {password}")


async def revoke(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Revoke a bus user. Its connections end within seconds."""
    async with context.database.connection() as connection:
        _require(await revoke_bus_user(connection, arguments.organization, arguments.user), arguments)


def _require(found: bool, arguments: argparse.Namespace) -> None:
    if not found:
        raise NotPossible(f"{arguments.organization} has no bus user {arguments.user}")

"""The commands for bus users: who may follow an organization's jobs on the bus."""

from uuid import UUID

from pydantic import SecretStr

from services.api.accounts.directory import NotPossible, require_organization
from services.api.admin.app import command
from services.api.admin.arguments import BusUserId, Limit, Name, Organization
from services.api.admin.context import AdminContext
from services.api.admin.showing import print_table
from services.api.contract.listing import Window
from services.api.feed.signing import Issuer, new_seed
from services.api.feed.users import create_bus_user, list_bus_users, revoke_bus_user, rotate_bus_user
from shared.payload import timestamp


@command("new-bus-keys", needs_database=False)
async def new_bus_keys(_: AdminContext) -> None:
    """Print a new key for signing bus users, as lines for .env: the public half is for NATS, the seed for the api."""
    seed = new_seed()
    print(f"NATS_ISSUER={Issuer(SecretStr(seed)).name}\nMILLRACE_API_BUS_ISSUER_SEED={seed}")


@command("create-bus-user")
async def create(context: AdminContext, organization: Organization, name: Name = "") -> None:
    """Create a user of the bus for an organization; its password is shown this once."""
    async with context.database.transaction() as connection:
        await require_organization(connection, organization)
        row, password = await create_bus_user(
            connection, organization, name, context.settings.bus_users_per_organization
        )
    print(f"{row['username']} {password}")


@command("list-bus-users")
async def list_all(context: AdminContext, organization: Organization, limit: Limit = 100) -> None:
    """List the bus users of an organization, oldest first."""
    async with context.database.connection() as connection:
        await require_organization(connection, organization)
        rows = await list_bus_users(connection, organization, Window(size=limit))
    print_table(
        ("ID", "USER", "NAME", "CREATED", "ROTATED"),
        [
            (row["id"], row["username"], row["name"] or "-", timestamp(row["created"]), timestamp(row["rotated"]))
            for row in rows
        ],
    )


@command("rotate-bus-user")
async def rotate(context: AdminContext, organization: Organization, user: BusUserId) -> None:
    """Give a bus user a new password, shown this once. Connections with the old one end within seconds."""
    async with context.database.connection() as connection:
        row, password = await rotate_bus_user(connection, organization, user)
    _require(row is not None, organization, user)
    print(f"{row['username']} {password}")


@command("revoke-bus-user")
async def revoke(context: AdminContext, organization: Organization, user: BusUserId) -> None:
    """Revoke a bus user. Its connections end within seconds."""
    async with context.database.connection() as connection:
        _require(await revoke_bus_user(connection, organization, user), organization, user)


def _require(found: bool, organization: str, user: UUID) -> None:
    if not found:
        raise NotPossible(f"{organization} has no bus user {user}")

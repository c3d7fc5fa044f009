"""The commands for keys of ours: those that seal, and those that organizations sign with."""

from services.api.accounts.directory import NotPossible, require_organization
from services.api.admin.app import command
from services.api.admin.arguments import Organization
from services.api.admin.context import AdminContext
from services.api.drm.signing_keys import SigningKeys
from services.api.operator.resealing import COLUMNS, reseal


@command("rotate-signing-key")
async def rotate_signing_key(context: AdminContext, organization: Organization) -> None:
    """Make a new signing key for an organization. Requests that were signed with the old one are refused from then on."""
    async with context.database.connection() as connection:
        await require_organization(connection, organization)
    await SigningKeys(context.database, context.settings.sealer).rotate(organization)
    print(f"{organization} finds its new signing key at /api/v1/organizations/")


@command("reseal")
async def reseal_all(context: AdminContext) -> None:
    """Seal with the first sealing key all that PostgreSQL keeps sealed, so that the others can go."""
    broken: list[str] = []
    for column in COLUMNS:
        done = await reseal(context.database, context.settings.sealer, column)
        print(f"{column.table}.{column.name}: {done.count} sealed anew")
        broken += done.broken
    for purpose in broken:
        print(f"no key opens the {purpose}")
    if broken:
        raise NotPossible(f"{len(broken)} cannot be opened with any of the sealing keys")

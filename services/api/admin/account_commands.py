"""The commands for users: their organizations and roles, their passwords, and who is an operator."""

from typing import Annotated

import typer

from services.api.accounts import directory, members
from services.api.accounts.accounts import set_password as store_password
from services.api.accounts.directory import NotPossible
from services.api.admin.app import command
from services.api.admin.arguments import Limit, MaybeOrganization, Member, Operator, Organization, Role
from services.api.admin.asking import ask_secret
from services.api.admin.context import AdminContext
from services.api.admin.showing import print_table
from services.api.contract.listing import Window
from services.api.contract.roles import OrganizationRole


@command("create-user")
async def create_user(
    context: AdminContext,
    username: str,
    organization: MaybeOrganization = None,
    role: Role = "admin",
    operator: Operator = False,
) -> None:
    """Create a user, or let one that exists into a further organization. A new user's password is read from standard input."""
    if organization is None and not operator:
        raise NotPossible("name an organization, or make an operator")
    async with context.database.connection() as connection:
        user = await directory.find_user(connection, username)
    if user:
        await _let_in(context, user, username, organization, role, operator=operator)
        return
    hashed = await context.passwords.hash(ask_secret("Password: "))
    async with context.database.transaction() as connection:
        if organization is not None:
            await directory.require_organization(connection, organization)
        await directory.add_user(connection, username, hashed, organization, role, operator=operator)
    print(f"{username} may log in" + (f" to {organization} as {role}" if organization else ""))


@command("add-member")
async def add_member(
    context: AdminContext,
    username: str,
    organization: Member,
    role: Role,
) -> None:
    """Let a user that exists into a further organization. Prints which ones that user is in: be sure whose account it is."""
    async with context.database.connection() as connection:
        user = _require_user(await directory.find_user(connection, username), username)
    await _let_in(context, user, username, organization, role)


@command("set-role")
async def set_role(
    context: AdminContext,
    username: str,
    organization: Member,
    role: Role,
) -> None:
    """Give a member of an organization another role, from the next request on."""
    async with context.database.transaction() as connection:
        await directory.require_organization(connection, organization)
        await members.set_role(connection, organization, username, role)


@command("remove-member")
async def remove_member(
    context: AdminContext,
    username: str,
    organization: Member,
) -> None:
    """Take a user out of an organization, with the tokens of that user's logins to it. The account stays."""
    async with context.database.transaction() as connection:
        await directory.require_organization(connection, organization)
        await members.remove_member(connection, organization, username)


@command("list-members")
async def list_members(
    context: AdminContext,
    organization: Organization,
    limit: Limit = 100,
) -> None:
    """List the members of an organization by name."""
    async with context.database.connection() as connection:
        await directory.require_organization(connection, organization)
        rows = await members.list_members(connection, organization, Window(size=limit))
    print_table(
        ("USER", "ROLE", "SERVER"),
        [(row["username"], row["role"], "operator" if row["operator"] else "-") for row in rows],
    )


@command("set-operator")
async def set_operator(
    context: AdminContext,
    username: str,
    off: Annotated[bool, typer.Option("--off", help="No longer.")] = False,
) -> None:
    """Let a user see to the server over REST: workers, queues and dead letters of all organizations. --off ends it."""
    async with context.database.connection() as connection:
        user = _require_user(await directory.find_user(connection, username), username)
        await directory.set_operator(connection, user, operator=not off)


@command("set-password")
async def set_password(
    context: AdminContext,
    username: str,
) -> None:
    """Set a user's password, read from standard input. Tokens and browser sessions that were got with the old one end."""
    async with context.database.connection() as connection:
        user = _require_user(await directory.find_user(connection, username), username)
    hashed = await context.passwords.hash(ask_secret("Password: "))
    async with context.database.transaction() as connection:
        await store_password(connection, user, hashed)


async def _let_in(
    context: AdminContext, user: int, username: str, org: str | None, role: OrganizationRole, *, operator: bool = False
) -> None:
    async with context.database.transaction() as connection:
        known = await directory.organizations_of(connection, user)
        if org is not None:
            await directory.require_organization(connection, org)
            await directory.add_membership(connection, user, org, role)
        if operator:
            await directory.set_operator(connection, user, operator=True)
    where = ", ".join(known) or "no organization"
    print(f"{username}, who was in {where} before, may log in" + (f" to {org}" if org else ""))


def _require_user(user: int | None, username: str) -> int:
    if user is None:
        raise NotPossible(f"there is no user {username}")
    return user

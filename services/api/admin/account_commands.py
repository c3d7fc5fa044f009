"""The commands for users: their organizations and roles, their passwords, and who is an operator."""

import argparse

from services.api.accounts import directory, members
from services.api.accounts.accounts import set_password as store_password
from services.api.accounts.directory import NotPossible
from services.api.admin.asking import ask_secret
from services.api.admin.context import AdminContext
from services.api.admin.showing import print_table
from services.api.contract.listing import Window


async def create_user(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Create a user, or let one that exists into a further organization. A new user's password is read from standard input."""
    org: str | None = arguments.organization
    if org is None and not arguments.operator:
        raise NotPossible("name an organization, or make an operator")
    async with context.database.connection() as connection:
        user = await directory.find_user(connection, arguments.username)
    if user:
        await _let_in(context, user, arguments)
        return
    hashed = await context.passwords.hash(ask_secret("Password: "))
    async with context.database.transaction() as connection:
        if org is not None:
            await directory.require_organization(connection, org)
        await directory.add_user(
            connection, arguments.username, hashed, org, arguments.role, operator=arguments.operator
        )
    print(f"{arguments.username} may log in" + (f" to {org} as {arguments.role}" if org else ""))


async def add_member(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Let a user that exists into a further organization. Prints which ones that user is in: be sure whose account it is."""
    async with context.database.connection() as connection:
        user = _require_user(await directory.find_user(connection, arguments.username), arguments.username)
    await _let_in(context, user, arguments)


async def set_role(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Give a member of an organization another role, from the next request on."""
    async with context.database.transaction() as connection:
        await directory.require_organization(connection, arguments.organization)
        await members.set_role(connection, arguments.organization, arguments.username, arguments.role)


async def remove_member(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Take a user out of an organization, with the tokens of that user's logins to it. The account stays."""
    async with context.database.transaction() as connection:
        await directory.require_organization(connection, arguments.organization)
        await members.remove_member(connection, arguments.organization, arguments.username)


async def list_members(context: AdminContext, arguments: argparse.Namespace) -> None:
    """List the members of an organization by name."""
    async with context.database.connection() as connection:
        await directory.require_organization(connection, arguments.organization)
        rows = await members.list_members(connection, arguments.organization, Window(size=arguments.limit))
    print_table(
        ("USER", "ROLE", "SERVER"),
        [(row["username"], row["role"], "operator" if row["operator"] else "-") for row in rows],
    )


async def set_operator(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Let a user see to the server over REST: workers, queues and dead letters of all organizations. --off ends it."""
    async with context.database.connection() as connection:
        user = _require_user(await directory.find_user(connection, arguments.username), arguments.username)
        await directory.set_operator(connection, user, operator=not arguments.off)


async def set_password(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Set a user's password, read from standard input. Tokens and browser sessions that were got with the old one end."""
    async with context.database.connection() as connection:
        user = _require_user(await directory.find_user(connection, arguments.username), arguments.username)
    hashed = await context.passwords.hash(ask_secret("Password: "))
    async with context.database.transaction() as connection:
        await store_password(connection, user, hashed)


async def _let_in(context: AdminContext, user: int, arguments: argparse.Namespace) -> None:
    org: str | None = arguments.organization
    async with context.database.transaction() as connection:
        known = await directory.organizations_of(connection, user)
        if org is not None:
            await directory.require_organization(connection, org)
            await directory.add_membership(connection, user, org, arguments.role)
        if getattr(arguments, "operator", False):
            await directory.set_operator(connection, user, operator=True)
    where = ", ".join(known) or "no organization"
    print(f"{arguments.username}, who was in {where} before, may log in" + (f" to {org}" if org else ""))


def _require_user(user: int | None, username: str) -> int:
    if user is None:
        raise NotPossible(f"there is no user {username}")
    return user

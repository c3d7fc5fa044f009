"""The commands: each a coroutine that reads its arguments, does its work and prints.

Secrets are read from standard input, never from the command line, which every user of the machine can read.
"""

import argparse
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta

from services.api.accounts import directory, tokens
from services.api.accounts.accounts import TOKEN
from services.api.accounts.directory import NotPossible
from services.api.accounts.issuing import Power, issue_token
from services.api.admin.asking import ask_secret
from services.api.admin.context import AdminContext
from services.api.admin.showing import print_table
from services.api.contract.listing import Window
from services.api.contract.quotas import QUOTAS, USUAL_WEIGHT, in_force, setting_of
from services.api.projection.rebuild import rebuild
from shared.payload import timestamp

Command = Callable[[AdminContext, argparse.Namespace], Awaitable[None]]


async def bootstrap(context: AdminContext, _: argparse.Namespace) -> None:
    """Make sure that an organization, its user, token and storage are there. Reads them as JSON, prints who is who as JSON.

    With "operator": true, user and token may see to the server, too.
    """
    given = json.loads(sys.stdin.read())
    token = str(given["token"])
    if not TOKEN.fullmatch(token):
        raise NotPossible("token must be 64 lower-case hex characters")
    async with context.database.connection() as connection:
        stored = await directory.password_hash_of(connection, given["username"])
    known = stored is not None and await context.passwords.check(stored, given["password"])
    hashed = stored if stored and known else await context.passwords.hash(given["password"])
    async with context.database.transaction() as connection:
        org = await directory.bootstrap(
            connection,
            name=given["org_name"],
            username=given["username"],
            password_hash=hashed,
            token=token,
            operator=bool(given.get("operator")),
        )
    if given.get("storage_url"):
        await context.storages.set(org, given["storage_url"])
    print(json.dumps({"org_id": org, "username": given["username"], "token": token}))


async def create_organization(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Create an organization; prints its code."""
    async with context.database.transaction() as connection:
        print(await directory.add_organization(connection, arguments.name, arguments.code))


async def create_token(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Create a token for an organization; it is shown this once."""
    async with context.database.transaction() as connection:
        await directory.require_organization(connection, arguments.organization)
        issued = await issue_token(
            connection,
            arguments.organization,
            None,
            timedelta(days=arguments.days),
            context.settings.tokens_per_organization,
            name=arguments.name,
            power=Power(arguments.role, arguments.operator),
        )
    print(f"{issued.token}  expires {timestamp(issued.expiry)}")


async def list_tokens(context: AdminContext, arguments: argparse.Namespace) -> None:
    """List the live tokens of an organization, oldest first."""
    async with context.database.connection() as connection:
        await directory.require_organization(connection, arguments.organization)
        rows = await tokens.list_tokens(connection, arguments.organization, Window(size=arguments.limit))
    print_table(
        ("ID", "NAME", "USER", "ROLE", "CREATED", "EXPIRES"),
        [
            (
                row["id"],
                row["name"] or "-",
                row["username"] or "-",
                row["role"],
                timestamp(row["created"]),
                timestamp(row["expires"]),
            )
            for row in rows
        ],
    )


async def name_token(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Give a token another name."""
    async with context.database.connection() as connection:
        if not await tokens.name_token(connection, arguments.organization, arguments.token, arguments.name):
            raise NotPossible(f"{arguments.organization} has no live token {arguments.token}")


async def revoke_token(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Revoke a token, at once."""
    async with context.database.connection() as connection:
        if not await tokens.revoke_token(connection, arguments.organization, arguments.token):
            raise NotPossible(f"{arguments.organization} has no live token {arguments.token}")


async def set_storage(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Set the storage whose credentials stand in where a job's output_path or input_path has none. Reads an s3:// address."""
    if not await context.storages.set(
        arguments.organization, ask_secret("s3:// address with access_key and secret_key: ")
    ):
        raise NotPossible(f"there is no organization {arguments.organization}")
    print(f"storage of {arguments.organization} is set")


async def set_public_addresses(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Say how browsers reach the storage of an organization, and show it. Without an option it only shows."""
    given = {"public_endpoint": arguments.storage_endpoint, "playback_base_url": arguments.playback_url}
    try:
        known = await context.storages.set_public(
            arguments.organization, {name: value for name, value in given.items() if value is not None}
        )
    except ValueError as error:
        raise NotPossible(str(error)) from None
    if not known:
        raise NotPossible(f"there is no organization {arguments.organization}")
    storage = await context.storages.whole(arguments.organization)
    print_table(
        ("ADDRESS", "VALUE"),
        [("storage endpoint", storage.public_endpoint or "-"), ("playback url", storage.playback_base_url or "-")],
    )


async def set_quotas(context: AdminContext, arguments: argparse.Namespace) -> None:
    """Set quotas and weight of an organization, and show what holds for it. Without an option it only shows. 0 means no limit."""
    given = {name: getattr(arguments, name) for name in QUOTAS if getattr(arguments, name) is not None}
    async with context.database.transaction() as connection:
        await directory.set_quotas(
            connection, arguments.organization, {name: None if value < 0 else value for name, value in given.items()}
        )
        if arguments.weight is not None:
            await directory.set_weight(connection, arguments.organization, arguments.weight or None)
        row = await directory.quotas_of(connection, arguments.organization)
    settings = context.settings.model_dump()
    rows = []
    for name in QUOTAS:
        own = row[f"max_{name}"]
        limit = in_force(own, settings[setting_of(name)])
        rows.append(
            (name, limit or "no limit", "setting" if own is None else "organization", row.get(f"used_{name}", "-"))
        )
    rows.append(
        ("weight", f"{row['weight'] or USUAL_WEIGHT:g}", "usual" if row["weight"] is None else "organization", "-")
    )
    print_table(("QUOTA", "LIMIT", "FROM", "USED"), rows)


async def list_all(context: AdminContext, _: argparse.Namespace) -> None:
    """List organizations with their users, live tokens, webhooks and jobs."""
    async with context.database.connection() as connection:
        rows = await directory.overview(connection)
    print_table(
        ("CODE", "NAME", "USERS", "TOKENS", "STORAGE", "WEBHOOKS", "JOBS"),
        [
            (
                row["code"],
                row["name"],
                row["users"] or "-",
                row["tokens"],
                "set" if row["storage"] else "-",
                row["webhooks"],
                row["jobs"],
            )
            for row in rows
        ],
    )


async def rebuild_projection(context: AdminContext, _: argparse.Namespace) -> None:
    """Make the projected tables anew from the log. The api may go on running."""
    async with context.bus() as client:
        await rebuild(context.settings.database_url.get_secret_value(), client)

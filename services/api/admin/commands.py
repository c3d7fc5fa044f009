"""The commands: each a coroutine that reads its arguments, does its work and prints.

Secrets are read from standard input, never from the command line, which every user of the machine can read.
"""

import json
import sys
from datetime import timedelta
from typing import Annotated

import typer

from services.api.accounts import directory, tokens
from services.api.accounts.accounts import TOKEN
from services.api.accounts.directory import NotPossible
from services.api.accounts.issuing import Power, issue_token
from services.api.admin.app import command
from services.api.admin.arguments import (
    Limit,
    Name,
    NewName,
    Operator,
    Organization,
    OwnCode,
    PlaybackUrl,
    Quota,
    Role,
    StorageEndpoint,
    TokenId,
    Weight,
)
from services.api.admin.asking import ask_secret
from services.api.admin.context import AdminContext
from services.api.admin.showing import print_table
from services.api.contract.listing import Window
from services.api.contract.quotas import (
    ACTIVE_JOBS,
    JOBS_PER_HOUR,
    QUOTAS,
    REQUESTS_PER_MINUTE,
    SOURCE_GIGABYTES_PER_DAY,
    SOURCE_MINUTES_PER_DAY,
    UNFINISHED_JOBS,
    USUAL_WEIGHT,
    in_force,
    setting_of,
)
from services.api.projection.rebuild import rebuild
from shared.payload import timestamp


@command("bootstrap")
async def bootstrap(context: AdminContext) -> None:
    """Make sure that an organization, its user, token and storage are there. Reads them as JSON, prints who is who as JSON.

    With "operator": true, user and token may see to the server, too. "storage_endpoint" is how browsers call the storage's
    service, where that is not as in "storage_url".
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
    if given.get("storage_endpoint"):
        await context.storages.set_public(org, {"public_endpoint": given["storage_endpoint"]})
    print(json.dumps({"org_id": org, "username": given["username"], "token": token}))


@command("create-organization")
async def create_organization(context: AdminContext, name: str, code: OwnCode = None) -> None:
    """Create an organization; prints its code."""
    async with context.database.transaction() as connection:
        print(await directory.add_organization(connection, name, code))


@command("create-token")
async def create_token(
    context: AdminContext,
    organization: Organization,
    days: Annotated[float, typer.Option(help="How long it lives.")] = 365,
    role: Role = "admin",
    operator: Operator = False,
    name: Name = "",
) -> None:
    """Create a token for an organization; it is shown this once."""
    async with context.database.transaction() as connection:
        await directory.require_organization(connection, organization)
        issued = await issue_token(
            connection,
            organization,
            None,
            timedelta(days=days),
            context.settings.tokens_per_organization,
            name=name,
            power=Power(role, operator),
        )
    print(f"{issued.token}  expires {timestamp(issued.expiry)}")


@command("list-tokens")
async def list_tokens(context: AdminContext, organization: Organization, limit: Limit = 100) -> None:
    """List the live tokens of an organization, oldest first."""
    async with context.database.connection() as connection:
        await directory.require_organization(connection, organization)
        rows = await tokens.list_tokens(connection, organization, Window(size=limit))
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


@command("name-token")
async def name_token(context: AdminContext, organization: Organization, token: TokenId, name: NewName) -> None:
    """Give a token another name."""
    async with context.database.connection() as connection:
        if not await tokens.name_token(connection, organization, token, name):
            raise NotPossible(f"{organization} has no live token {token}")


@command("revoke-token")
async def revoke_token(context: AdminContext, organization: Organization, token: TokenId) -> None:
    """Revoke a token, at once."""
    async with context.database.connection() as connection:
        if not await tokens.revoke_token(connection, organization, token):
            raise NotPossible(f"{organization} has no live token {token}")


@command("set-storage")
async def set_storage(context: AdminContext, organization: Organization) -> None:
    """Set the storage whose credentials stand in where a job's output_path or input_path has none. Reads an s3:// address."""
    if not await context.storages.set(organization, ask_secret("s3:// address with access_key and secret_key: ")):
        raise NotPossible(f"there is no organization {organization}")
    print(f"storage of {organization} is set")


@command("set-public-addresses")
async def set_public_addresses(
    context: AdminContext,
    organization: Organization,
    storage_endpoint: StorageEndpoint = None,
    playback_url: PlaybackUrl = None,
) -> None:
    """Say how browsers reach the storage of an organization, and show it. Without an option it only shows."""
    given = {"public_endpoint": storage_endpoint, "playback_base_url": playback_url}
    try:
        known = await context.storages.set_public(
            organization, {name: value for name, value in given.items() if value is not None}
        )
    except ValueError as error:
        raise NotPossible(str(error)) from None
    if not known:
        raise NotPossible(f"there is no organization {organization}")
    storage = await context.storages.whole(organization)
    print_table(
        ("ADDRESS", "VALUE"),
        [("storage endpoint", storage.public_endpoint or "-"), ("playback url", storage.playback_base_url or "-")],
    )


@command("set-quotas")
async def set_quotas(
    context: AdminContext,
    organization: Organization,
    unfinished_jobs: Quota = None,
    jobs_per_hour: Quota = None,
    source_minutes_per_day: Quota = None,
    source_gigabytes_per_day: Quota = None,
    requests_per_minute: Quota = None,
    active_jobs: Quota = None,
    weight: Weight = None,
) -> None:
    """Set quotas and weight of an organization, and show what holds for it. Without an option it only shows. 0 means no limit."""
    asked = {
        UNFINISHED_JOBS: unfinished_jobs,
        JOBS_PER_HOUR: jobs_per_hour,
        SOURCE_MINUTES_PER_DAY: source_minutes_per_day,
        SOURCE_GIGABYTES_PER_DAY: source_gigabytes_per_day,
        REQUESTS_PER_MINUTE: requests_per_minute,
        ACTIVE_JOBS: active_jobs,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    async with context.database.transaction() as connection:
        await directory.set_quotas(
            connection, organization, {name: None if value < 0 else value for name, value in given.items()}
        )
        if weight is not None:
            await directory.set_weight(connection, organization, weight or None)
        row = await directory.quotas_of(connection, organization)
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


@command("list")
async def list_all(context: AdminContext) -> None:
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


@command("rebuild-projection")
async def rebuild_projection(context: AdminContext) -> None:
    """Make the projected tables anew from the log. The api may go on running."""
    async with context.bus() as client:
        await rebuild(context.settings.database_url.get_secret_value(), client)

"""Organizations and their users in Postgres, as the operator makes and lists them."""

from collections.abc import Mapping
from datetime import timedelta

import asyncpg

from services.api.accounts.accounts import set_password
from services.api.accounts.issuing import token_hash
from services.api.contract.quotas import QUOTAS
from services.api.contract.roles import OrganizationRole
from services.api.database.pool import Connection
from shared.ids import new_org_code

BOOTSTRAP_DAYS = 3650.0

_OVERVIEW = """
    select code, name, storage is not null as storage,
           (select string_agg(username || ' (' || role || ')', ', ' order by username)
            from memberships m join users u on u.id = m.user_id where m.org = code) as users,
           (select count(*) from tokens where org = code and expires > now()) as tokens,
           (select count(*) from webhooks where org = code) as webhooks,
           (select count(*) from jobs where org = code) as jobs
    from organizations order by created, code
"""

_QUOTAS = """
    select max_unfinished_jobs, max_jobs_per_hour, max_requests_per_minute, max_source_minutes_per_day,
           max_source_gigabytes_per_day, max_active_jobs, weight,
           (select count(*) from jobs where org = code and admitted and status in ('queued', 'transcoding'))
               as used_active_jobs,
           (select coalesce(sum(claims), 0)::bigint from claim_counts where org = code) as used_unfinished_jobs,
           coalesce((select jobs from created_jobs where org = code and hour = date_trunc('hour', now())), 0)
               as used_jobs_per_hour,
           (select coalesce(ceil(sum(seconds) / 60), 0)::bigint from source_counts
            where org = code and day = (now() at time zone 'UTC')::date) as used_source_minutes_per_day,
           (select coalesce(ceil(sum(bytes) / 1e9), 0)::bigint from source_counts
            where org = code and day = (now() at time zone 'UTC')::date) as used_source_gigabytes_per_day
    from organizations where code = $1
"""


_BOOTSTRAPPED = """
    insert into tokens (hash, org, expires, operator) values ($1, $2, now() + $3, $4)
    on conflict (hash) do update
        set org = excluded.org, expires = excluded.expires, operator = tokens.operator or excluded.operator
"""
_ADD_MEMBERSHIP = """
    insert into memberships (user_id, org, role) values ($1, $2, $3) on conflict do nothing returning true
"""


class NotPossible(Exception):
    """It contradicts what is there; the text says how."""


async def bootstrap(
    connection: Connection, *, name: str, username: str, password_hash: str, token: str, operator: bool = False
) -> str:
    """Make sure that a user, his organization and a token of it are there. Returns the organization's code.

    Args:
        operator: whether user and token may see to the server; False changes nothing.
    """
    # Two bootstraps at the same time would both find no user.
    await connection.execute("lock table users in share row exclusive mode")
    org: str | None = await connection.fetchval(
        "select m.org from users u join memberships m on m.user_id = u.id where u.username = $1 order by m.org limit 1",
        username,
    )
    if org is None:
        org = await add_organization(connection, name, None)
        await add_user(connection, username, password_hash, org)
    else:
        user = await connection.fetchval(
            "select id from users where username = $1 and password_hash <> $2", username, password_hash
        )
        if user is not None:
            await set_password(connection, user, password_hash)
    if operator:
        await connection.execute("update users set operator = true where username = $1", username)
    await connection.execute(_BOOTSTRAPPED, token_hash(token), org, timedelta(days=BOOTSTRAP_DAYS), operator)
    return org


async def overview(connection: Connection) -> list[asyncpg.Record]:
    """Each organization with its users, live tokens, webhooks and jobs, the oldest first."""
    return await connection.fetch(_OVERVIEW)


async def add_organization(connection: Connection, name: str, code: str | None) -> str:
    """Add an organization, under a random code if none is given. Raises: NotPossible: there is one with that code."""
    while True:
        wanted = code or new_org_code()
        if await connection.fetchval(
            "insert into organizations (code, name) values ($1, $2) on conflict do nothing returning code", wanted, name
        ):
            return wanted
        if code:
            raise NotPossible(f"there is an organization {code} already")


async def add_user(
    connection: Connection,
    username: str,
    hashed: str,
    org: str | None,
    role: OrganizationRole = "admin",
    *,
    operator: bool = False,
) -> None:
    """Add a user, and to an organization if one is given. Raises: NotPossible: there is one of that name."""
    user = await connection.fetchval(
        "insert into users (username, password_hash, operator) values ($1, $2, $3) on conflict do nothing returning id",
        username,
        hashed,
        operator,
    )
    if user is None:
        raise NotPossible(f"there is a user {username} already")
    if org is not None:
        await add_membership(connection, user, org, role)


async def set_operator(connection: Connection, user: int, *, operator: bool) -> None:
    """Say whether a user sees to the server."""
    await connection.execute("update users set operator = $2 where id = $1", user, operator)


async def password_hash_of(connection: Connection, username: str) -> str | None:
    """What is stored of a user's password; None if there is no such user."""
    found: str | None = await connection.fetchval("select password_hash from users where username = $1", username)
    return found


async def organizations_of(connection: Connection, user: int) -> list[str]:
    """Codes of the organizations that a user is in."""
    rows = await connection.fetch("select org from memberships where user_id = $1 order by org", user)
    return [row["org"] for row in rows]


async def require_organization(connection: Connection, org: str) -> None:
    """Raises: NotPossible: there is no such organization."""
    if not await connection.fetchval("select code from organizations where code = $1", org):
        raise NotPossible(f"there is no organization {org}")


async def set_quotas(connection: Connection, org: str, quotas: Mapping[str, int | None]) -> None:
    """Give an organization quotas of its own, by their names; None takes back to the setting. Others stay."""
    for name, value in quotas.items():
        if name not in QUOTAS:
            raise ValueError(name)
        await connection.execute(f"update organizations set max_{name} = $2 where code = $1", org, value)  # noqa: S608 - our own names


async def set_weight(connection: Connection, org: str, weight: float | None) -> None:
    """Give an organization a weight of its own; None takes back to the usual one."""
    await connection.execute("update organizations set weight = $2 where code = $1", org, weight)


async def quotas_of(connection: Connection, org: str) -> asyncpg.Record:
    """An organization's own quotas and weight, null where it has none, and what is used of the quotas: ``used_<name>``."""
    row = await connection.fetchrow(_QUOTAS, org)
    if row is None:
        raise NotPossible(f"there is no organization {org}")
    return row


async def find_user(connection: Connection, username: str) -> int | None:
    """Id of a user."""
    found: int | None = await connection.fetchval("select id from users where username = $1", username)
    return found


async def add_membership(connection: Connection, user: int, org: str, role: OrganizationRole) -> bool:
    """Let a user into an organization. Whoever is in it already keeps his role. Returns whether he was not in it."""
    return bool(await connection.fetchval(_ADD_MEMBERSHIP, user, org, role))

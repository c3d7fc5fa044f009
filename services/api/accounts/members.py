"""Who is in which organization, in which role. An organization that has an admin keeps one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.api.accounts.accounts import Identity, storable
from services.api.accounts.directory import add_membership, find_user
from services.api.accounts.organizations import lock_organization
from services.api.contract.account_models import Member, MemberRequest, is_username
from services.api.contract.errors import Conflict, Invalid, NotFound
from services.api.contract.listing import Window
from services.api.contract.roles import OrganizationRole
from services.api.database.pool import Connection, Database

_FROM = "from memberships m join users u on u.id = m.user_id where m.org = $1"
_PAGE = f"select u.id, u.username, u.operator, m.role {_FROM} order by u.username limit $2 offset $3"
_COUNT = f"select count(*) {_FROM}"
_ONE = f"select u.id, u.username, m.role {_FROM} and u.username = $2"
_OTHER_ADMINS = "select exists (select from memberships where org = $1 and role = 'admin' and user_id <> $2)"
_NEW_USER = "insert into users (username, password_hash) values ($1, $2) on conflict do nothing returning id"
# The organizations of a user, or that of a token: name, code and role.
_ORGANIZATIONS = """
    from organizations o left join memberships m on m.org = o.code and m.user_id = $1::bigint
    where case when $2 = '' then m.user_id is not null else o.code = $2 end
"""
_ORGANIZATIONS_PAGE = f"select o.code, o.name, m.role {_ORGANIZATIONS} order by o.name, o.code limit $3 offset $4"
_THERE_IS_NONE = "There is no account of this name yet. Give it a password to make one."
_THERE_IS_ONE = "There is an account of this name already. Leave the password out to let that one in."
_IS_IN = "This user is in the organization already. PATCH changes the role."
_NAME = "A new account is called by letters, digits and @.+-_ alone."
LAST_ADMIN = "This is the last admin of the organization. Make somebody else an admin before."


@dataclass(frozen=True)
class Membership:
    """Somebody's organization, with his role in it."""

    org: str
    name: str
    role: OrganizationRole | None


class Members:
    """The members of all organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def organizations(self, identity: Identity, window: Window) -> tuple[int, list[Membership]]:
        """How many organizations somebody is in, and a page of them by name: of a token, its own one."""
        async with self._database.connection() as connection:
            count = await connection.fetchval(f"select count(*) {_ORGANIZATIONS}", identity.user, identity.org)
            rows = await connection.fetch(_ORGANIZATIONS_PAGE, identity.user, identity.org, window.size, window.offset)
        return count, [Membership(row["code"], row["name"], row["role"] or identity.role) for row in rows]

    async def page(self, identity: Identity, window: Window) -> tuple[int, list[Member]]:
        """How many members an organization has, and a page of them by name."""
        async with self._database.connection() as connection:
            count = await connection.fetchval(_COUNT, identity.org)
            rows = await connection.fetch(_PAGE, identity.org, window.size, window.offset)
        return count, [_shown(row, identity) for row in rows]

    async def read(self, identity: Identity, username: str) -> Member:
        """A member.

        Raises:
            NotFound: there is no such one.
        """
        async with self._database.connection() as connection:
            return _shown(await _find(connection, identity.org, username), identity)

    async def add(self, identity: Identity, request: MemberRequest, password_hash: str | None) -> Member:
        """Let an account into the organization.

        Args:
            password_hash: of a new account; None for one that is there already.

        Raises:
            Invalid: the account is there, or is not, or is in already.
        """
        async with self._database.transaction() as connection:
            user = await _account(connection, request.username, password_hash)
            if not await add_membership(connection, user, identity.org, request.role):
                raise Invalid({"username": [_IS_IN]})
        return Member(username=request.username, role=request.role, current=user == identity.user)

    async def change(self, identity: Identity, username: str, role: OrganizationRole) -> Member:
        """Give a member another role, from the next request on.

        Raises:
            NotFound: there is no such one. Conflict: it is the last admin.
        """
        async with self._database.transaction() as connection:
            await set_role(connection, identity.org, username, role)
            return _shown(await _find(connection, identity.org, username), identity)

    async def remove(self, identity: Identity, username: str) -> None:
        """Take a member out of the organization.

        Raises:
            NotFound: there is no such one. Conflict: it is the last admin.
        """
        async with self._database.transaction() as connection:
            await remove_member(connection, identity.org, username)


async def list_members(connection: Connection, org: str, window: Window) -> Sequence[Any]:
    """Members of an organization by name: rows of id, username, operator and role."""
    return await connection.fetch(_PAGE, org, window.size, window.offset)


async def set_role(connection: Connection, org: str, username: str, role: OrganizationRole) -> None:
    """Give a member another role. Runs inside the caller's transaction.

    Raises:
        NotFound: there is no such one. Conflict: it is the last admin.
    """
    await lock_organization(connection, org)
    row = await _find(connection, org, username)
    if role != "admin":
        await _require_other_admin(connection, org, row)
    await connection.execute("update memberships set role = $3 where org = $1 and user_id = $2", org, row["id"], role)


async def remove_member(connection: Connection, org: str, username: str) -> None:
    """Take a member out of the organization, with the tokens of his logins. The account stays.

    Runs inside the caller's transaction.

    Raises:
        NotFound: there is no such one. Conflict: it is the last admin.
    """
    await lock_organization(connection, org)
    row = await _find(connection, org, username)
    await _require_other_admin(connection, org, row)
    # The browser sessions that stand for these tokens go with them.
    await connection.execute("delete from tokens where org = $1 and user_id = $2", org, row["id"])
    await connection.execute("delete from memberships where org = $1 and user_id = $2", org, row["id"])


async def _account(connection: Connection, username: str, password_hash: str | None) -> int:
    name = storable(username)
    known = await find_user(connection, name)
    if password_hash is None:
        if known is None:
            raise Invalid({"password": [_THERE_IS_NONE]})
        return known
    if not is_username(username):
        raise Invalid({"username": [_NAME]})
    made: int | None = None if known else await connection.fetchval(_NEW_USER, name, password_hash)
    if made is None:
        # Somebody else's password would be changed, and by whoever knows the name.
        raise Invalid({"password": [_THERE_IS_ONE]})
    return made


async def _find(connection: Connection, org: str, username: str) -> Any:
    row = await connection.fetchrow(_ONE, org, storable(username))
    if row is None:
        raise NotFound()
    return row


async def _require_other_admin(connection: Connection, org: str, row: Any) -> None:
    if row["role"] == "admin" and not await connection.fetchval(_OTHER_ADMINS, org, row["id"]):
        raise Conflict(LAST_ADMIN)


def _shown(row: Any, identity: Identity) -> Member:
    return Member(username=row["username"], role=row["role"], current=row["id"] == identity.user)

"""The operator's command: ``python -m services.api.admin <command>``.

Secrets are read from standard input, never from the command line, which every user of the machine can read.
"""

import argparse
import asyncio
import getpass
import json
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
from nats.js.errors import NotFoundError

from services.api.accounts import TOKEN, issue_token, token_hash
from services.api.database import Database, DatabaseDown, Pool, close_pool, migrate, open_pool
from services.api.errors import ApiError
from services.api.organizations import Storages
from services.api.passwords import Passwords
from services.api.rebuild import rebuild
from services.api.settings import ApiSettings
from shared.bus.connection import connect
from shared.bus.topology import DEAD
from shared.ids import ORG_PATTERN, new_org_code
from shared.logs import configure_logs
from shared.payload import timestamp
from shared.sealing import Sealer
from shared.settings import decode_keys, settings_or_exit

BOOTSTRAP_DAYS = 3650.0
_ORG_ARGUMENT = "code of the organization"


class Refused(Exception):
    """The command cannot be done; the text says why."""


@dataclass(frozen=True)
class Office:
    """What the commands work with."""

    settings: ApiSettings
    pool: "Pool"
    database: Database
    passwords: Passwords
    storages: Storages


Command = Callable[[Office, argparse.Namespace], Awaitable[None]]


async def bootstrap(office: Office, _: argparse.Namespace) -> None:
    """Make sure that an organization, its user, token and storage are there. Reads them as JSON, prints who is who as JSON."""
    given = json.loads(sys.stdin.read())
    token = str(given["token"])
    if not TOKEN.fullmatch(token):
        raise Refused("token must be 64 lower-case hex characters")
    hashed = await office.passwords.hash(given["password"])
    async with office.database.transaction() as connection:
        # Two bootstraps at the same time would both find no user.
        await connection.execute("lock table users in share row exclusive mode")
        org = await connection.fetchval(
            "select m.org from users u join memberships m on m.user_id = u.id where u.username = $1 order by m.org limit 1",
            given["username"],
        )
        if org is None:
            org = await _add_organization(connection, given["org_name"], None)
            await _add_user(connection, given["username"], hashed, org)
        else:
            await connection.execute(
                "update users set password_hash = $2 where username = $1", given["username"], hashed
            )
        await connection.execute(
            "insert into tokens (hash, org, expires) values ($1, $2, now() + $3)"
            " on conflict (hash) do update set org = excluded.org, expires = excluded.expires",
            token_hash(token), org, timedelta(days=BOOTSTRAP_DAYS),
        )  # fmt: skip
    if given.get("storage_url"):
        await office.storages.set(org, given["storage_url"])
    print(json.dumps({"org_id": org, "username": given["username"], "token": token}))


async def create_organization(office: Office, arguments: argparse.Namespace) -> None:
    """Create an organization; prints its code."""
    async with office.database.transaction() as connection:
        print(await _add_organization(connection, arguments.name, arguments.code))


async def create_user(office: Office, arguments: argparse.Namespace) -> None:
    """Create a user, or let one that exists into a further organization. A new user's password is read from standard input."""
    async with office.database.connection() as connection:
        user = await connection.fetchval("select id from users where username = $1", arguments.username)
    hashed = "" if user else await office.passwords.hash(_secret("Password: "))
    async with office.database.transaction() as connection:
        await _require_organization(connection, arguments.organization)
        if user:
            await connection.execute(
                "insert into memberships (user_id, org) values ($1, $2) on conflict do nothing",
                user,
                arguments.organization,
            )
        else:
            await _add_user(connection, arguments.username, hashed, arguments.organization)
    print(f"{arguments.username} may log in to {arguments.organization}")


async def create_token(office: Office, arguments: argparse.Namespace) -> None:
    """Create a token for an organization; it is shown this once."""
    async with office.database.transaction() as connection:
        await _require_organization(connection, arguments.organization)
        issued = await issue_token(
            connection,
            arguments.organization,
            None,
            timedelta(days=arguments.days),
            office.settings.tokens_per_organization,
        )
    print(f"{issued.token}  expires {timestamp(issued.expiry)}")


async def set_storage(office: Office, arguments: argparse.Namespace) -> None:
    """Set the storage whose credentials stand in where a job's output_path or input_path has none. Reads an s3:// address."""
    if not await office.storages.set(arguments.organization, _secret("s3:// address with access_key and secret_key: ")):
        raise Refused(f"there is no organization {arguments.organization}")
    print(f"storage of {arguments.organization} is set")


async def list_all(office: Office, _: argparse.Namespace) -> None:
    """List organizations with their users, live tokens, webhooks and jobs."""
    async with office.database.connection() as connection:
        rows = await connection.fetch(
            """
            select code, name, storage is not null as storage,
                   (select string_agg(username, ', ' order by username)
                    from memberships m join users u on u.id = m.user_id where m.org = code) as users,
                   (select count(*) from tokens where org = code and expires > now()) as tokens,
                   (select count(*) from webhooks where org = code) as webhooks,
                   (select count(*) from jobs where org = code) as jobs
            from organizations order by created, code
            """
        )
    _print_table(
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


async def rebuild_projection(office: Office, _: argparse.Namespace) -> None:
    """Make the projected tables anew from the log. The api may go on running."""
    client = await connect(office.settings.nats_url, "api-admin")
    try:
        await rebuild(office.settings.database_url.get_secret_value(), client)
    finally:
        await client.close()


async def dead_letters(office: Office, arguments: argparse.Namespace) -> None:
    """List the newest messages that services have given up on."""
    client = await connect(office.settings.nats_url, "api-admin")
    try:
        js = client.jetstream()
        state = (await js.stream_info(DEAD)).state
        rows: list[tuple[Any, ...]] = []
        sequence = state.last_seq
        while sequence >= max(state.first_seq, 1) and len(rows) < arguments.limit:
            try:
                message = await js.get_msg(DEAD, sequence)
            except NotFoundError:
                sequence -= 1
                continue
            headers = message.headers or {}
            at = timestamp(message.time) if message.time else "-"
            _, service, org, job = (message.subject or "").split(".", 3)
            rows.append(
                (
                    sequence,
                    at,
                    service,
                    org,
                    job,
                    headers.get("Millrace-Subject", "-"),
                    headers.get("Millrace-Reason", "-"),
                )
            )
            sequence -= 1
        _print_table(("NUMBER", "AT", "SERVICE", "ORG", "JOB", "MESSAGE", "REASON"), rows)
        print(f"{state.messages} in all")
    finally:
        await client.close()


async def _add_organization(connection: Any, name: str, code: str | None) -> str:
    while True:
        wanted = code or new_org_code()
        if await connection.fetchval(
            "insert into organizations (code, name) values ($1, $2) on conflict do nothing returning code", wanted, name
        ):
            return wanted
        if code:
            raise Refused(f"there is an organization {code} already")


async def _add_user(connection: Any, username: str, hashed: str, org: str) -> None:
    user = await connection.fetchval(
        "insert into users (username, password_hash) values ($1, $2) on conflict do nothing returning id",
        username,
        hashed,
    )
    if user is None:
        raise Refused(f"there is a user {username} already")
    await connection.execute("insert into memberships (user_id, org) values ($1, $2)", user, org)


async def _require_organization(connection: Any, org: str) -> None:
    if not await connection.fetchval("select code from organizations where code = $1", org):
        raise Refused(f"there is no organization {org}")


def _secret(prompt: str) -> str:
    text = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not text:
        raise Refused("nothing was entered")
    return text


def _print_table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    lines = [head, *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.api.admin", description="Organizations, users, tokens, storage and repairs."
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, run: Command) -> argparse.ArgumentParser:
        text = (run.__doc__ or "").strip()
        command = commands.add_parser(name, help=text.partition(".")[0], description=text)
        command.set_defaults(run=run)
        return command

    add("bootstrap", bootstrap)
    command = add("create-organization", create_organization)
    command.add_argument("name")
    command.add_argument("--code", type=_code, help="6 lower-case letters and digits; by default a random one")
    command = add("create-user", create_user)
    command.add_argument("username")
    command.add_argument("--organization", required=True, metavar="CODE", help=_ORG_ARGUMENT)
    command = add("create-token", create_token)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    command.add_argument("--days", type=float, default=365, help="how long it lives (365)")
    command = add("set-storage", set_storage)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    add("list", list_all)
    add("rebuild-projection", rebuild_projection)
    command = add("dead-letters", dead_letters)
    command.add_argument("--limit", type=int, default=50, help="at most so many, the newest first (50)")
    return parser


def _code(text: str) -> str:
    if not re.match(ORG_PATTERN, text):
        raise argparse.ArgumentTypeError("6 lower-case letters and digits")
    return text


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line as a command with its arguments. Wrong ones end the process with exit status 2."""
    return _parser().parse_args(argv)


async def run(settings: ApiSettings, arguments: argparse.Namespace) -> None:
    """Do a command on an up-to-date database.

    Raises:
        Refused, ApiError: it cannot be done.
    """
    pool = await open_pool(settings.database_url, 2)
    try:
        await migrate(pool)
        database = Database(pool)
        storages = Storages(database, Sealer(decode_keys(settings.seal_keys)))
        await arguments.run(Office(settings, pool, database, Passwords(), storages), arguments)
    finally:
        await close_pool(pool)


def main() -> None:
    """Parse the command line and do it; what goes wrong is one line on standard error and exit status 1."""
    arguments = parse()
    settings = settings_or_exit(ApiSettings)
    configure_logs("api-admin", "error")
    try:
        asyncio.run(run(settings, arguments))
    except Refused as error:
        sys.exit(f"{arguments.command}: {error}")
    except ApiError as error:
        sys.exit(f"{arguments.command}: {error.body.get('detail', error.body)}")
    except (ValueError, KeyError, DatabaseDown, OSError, asyncpg.PostgresError) as error:
        sys.exit(f"{arguments.command}: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()

"""``python -m services.api.admin <command>``: the command line, and what becomes of errors."""

import argparse
import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import asyncpg
from nats.errors import Error as NatsError

from services.api.accounts.directory import NotPossible
from services.api.accounts.organizations import Storages
from services.api.accounts.passwords import Passwords
from services.api.admin import account_commands, bus_commands, commands, key_commands, operations, sealing_commands
from services.api.admin.context import AdminContext
from services.api.contract.errors import ApiError
from services.api.contract.quotas import LEAST_WEIGHT, MOST_QUOTA, MOST_WEIGHT, QUOTAS
from services.api.contract.roles import ORGANIZATION_ROLES
from services.api.database.migrate import migrate
from services.api.database.pool import Database, DatabaseDown, close_pool, open_pool
from services.api.settings import ApiSettings
from shared.ids import ORG_PATTERN
from shared.logs import configure_logs
from shared.settings import SERVICES, settings_or_exit

_ORG_ARGUMENT = "code of the organization"
_NUMBER = "as dead-letters shows it"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.api.admin",
        description="Organizations, users, tokens, storage, and what operators on call need.",
    )
    subparsers = parser.add_subparsers(dest="command", required=True)

    def add(name: str, run: commands.Command) -> argparse.ArgumentParser:
        text = (run.__doc__ or "").strip()
        command = subparsers.add_parser(name, help=text.partition(".")[0], description=text)
        command.set_defaults(run=run, needs_database=True)
        return command

    add("bootstrap", commands.bootstrap)
    command = add("create-organization", commands.create_organization)
    command.add_argument("name")
    command.add_argument("--code", type=_code, help="6 lower-case letters and digits; by default a random one")
    _add_accounts(add)
    command = add("create-token", commands.create_token)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    command.add_argument("--days", type=float, default=365, help="how long it lives (365)")
    command.add_argument("--role", choices=ORGANIZATION_ROLES, default="admin", help="what it may do there (admin)")
    command.add_argument("--operator", action="store_true", help="it may see to the server, too")
    command.add_argument("--name", type=_name, default="", help="by which people know it")
    command = add("list-tokens", commands.list_tokens)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    command.add_argument("--limit", type=int, default=100, help="at most so many (100)")
    command = add("name-token", commands.name_token)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    command.add_argument("token", metavar="ID", type=_uuid, help="as list-tokens shows it")
    command.add_argument("name", type=_name)
    command = add("revoke-token", commands.revoke_token)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    command.add_argument("token", metavar="ID", type=_uuid, help="as list-tokens shows it")
    # For NATS, without which nothing else starts.
    add("new-bus-keys", bus_commands.new_bus_keys).set_defaults(needs_database=False)
    command = add("create-bus-user", bus_commands.create)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    command.add_argument("--name", type=_name, default="", help="by which people know it")
    command = add("list-bus-users", bus_commands.list_all)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    command.add_argument("--limit", type=int, default=100, help="at most so many (100)")
    for verb, run in (("rotate", bus_commands.rotate), ("revoke", bus_commands.revoke)):
        command = add(f"{verb}-bus-user", run)
        command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
        command.add_argument("user", metavar="ID", type=_uuid, help="as list-bus-users shows it")
    _add_storage(add)
    _add_keys(add)
    command = add("set-quotas", commands.set_quotas)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    for name in QUOTAS:
        command.add_argument(
            f"--{name.replace('_', '-')}", type=_quota, metavar="N", help="0 for no limit, default for the setting"
        )
    command.add_argument(
        "--weight",
        type=_weight,
        metavar="W",
        help="twice the weight, twice the share of the places; default for the usual 1",
    )
    add("list", commands.list_all)
    add("rebuild-projection", commands.rebuild_projection)
    _add_operations(add)
    return parser


def _add_storage(add: Callable[[str, commands.Command], argparse.ArgumentParser]) -> None:
    command = add("set-storage", commands.set_storage)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    command = add("set-public-addresses", commands.set_public_addresses)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    command.add_argument(
        "--storage-endpoint",
        metavar="URL",
        help="how browsers call the service of the storage, where that is not as this server does; empty for as it does",
    )
    command.add_argument(
        "--playback-url",
        metavar="URL",
        help="below which players find the objects of the bucket, such as a CDN's; {bucket} in it is its name; empty for none",
    )


def _add_accounts(add: Callable[[str, commands.Command], argparse.ArgumentParser]) -> None:
    def of_member(name: str, run: commands.Command, *, needs_organization: bool = True) -> argparse.ArgumentParser:
        command = add(name, run)
        command.add_argument("username")
        command.add_argument("--organization", required=needs_organization, metavar="CODE", help=_ORG_ARGUMENT)
        return command

    command = of_member("create-user", account_commands.create_user, needs_organization=False)
    command.add_argument("--role", choices=ORGANIZATION_ROLES, default="admin", help="in the organization (admin)")
    command.add_argument("--operator", action="store_true", help="may see to the server, too")
    for name, run in (("add-member", account_commands.add_member), ("set-role", account_commands.set_role)):
        of_member(name, run).add_argument(
            "--role", choices=ORGANIZATION_ROLES, required=True, help="in the organization"
        )
    of_member("remove-member", account_commands.remove_member)
    command = add("list-members", account_commands.list_members)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    command.add_argument("--limit", type=int, default=100, help="at most so many (100)")
    command = add("set-operator", account_commands.set_operator)
    command.add_argument("username")
    command.add_argument("--off", action="store_true", help="no longer")
    add("set-password", account_commands.set_password).add_argument("username")


def _add_keys(add: Callable[[str, commands.Command], argparse.ArgumentParser]) -> None:
    command = add("set-key-provider", key_commands.set_provider)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    command.add_argument("kind", choices=key_commands.KINDS, help="sealed is this server's own store")
    command.add_argument("--url", dest="provider_url", help="of the key service")
    command.add_argument(
        "--account", dest="provider_organization", metavar="CODE", help="the organization at TPStreams"
    )
    command.add_argument("--username", dest="provider_username", help="of SPEKE with Basic authentication")
    command.add_argument("--header", dest="provider_header", help="of SPEKE with an API key, such as x-api-key")
    command.add_argument("--secrets", type=Path, metavar="FILE", help="with the secrets, a line for each")
    command = add("show-key-provider", key_commands.show_provider)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    command = add("rotate-signing-key", sealing_commands.rotate_signing_key)
    command.add_argument("organization", metavar="CODE", help=_ORG_ARGUMENT)
    add("reseal", sealing_commands.reseal_all)


def _add_operations(add: Callable[[str, commands.Command], argparse.ArgumentParser]) -> None:
    command = add("stuck-jobs", operations.stuck_jobs)
    command.add_argument("--seconds", type=float, default=600, help="that they have not got on for (600)")
    command.add_argument("--organization", metavar="CODE", type=_code, help="only those of one")
    command.add_argument("--job", metavar="ID", help="only this one")
    command.add_argument("--limit", type=int, default=100, help="at most so many (100)")
    _as_json(command)
    command = add("dead-letters", operations.dead_letters)
    command.add_argument("--limit", type=_positive, default=50, help="at most so many, the newest first (50)")
    command.add_argument("--organization", metavar="CODE", type=_code, help="only those of one")
    command.add_argument("--job", metavar="ID", type=_token, help="only those of one")
    command.add_argument("--service", choices=SERVICES, help="only those of one")
    _as_json(command)
    command = add("show-dead-letter", operations.show_dead_letter)
    command.add_argument("number", type=_positive, metavar="NUMBER", help=_NUMBER)
    _as_json(command)
    command = add("replay-dead-letters", operations.replay_dead_letters)
    command.add_argument("numbers", type=_positive, nargs="+", metavar="NUMBER", help=_NUMBER)
    _as_json(command)
    command = add("drop-dead-letters", operations.drop_dead_letters)
    command.add_argument("numbers", type=_positive, nargs="*", metavar="NUMBER", help=_NUMBER)
    command.add_argument("--job", metavar="ID", type=_token, help="all of this job")
    _as_json(add("workers", operations.workers))
    command = add("drain", operations.drain)
    command.add_argument(
        "names", nargs="+", metavar="WORKER", help="as workers shows it, or a service for all of its workers"
    )
    command.add_argument("--host", help="only workers on this host")
    command.add_argument("--stay", action="store_true", help="let them stay without work, until they are stopped")
    command.add_argument("--no-wait", action="store_true", help="return as soon as they are told")
    _as_json(command)
    command = add("left-overs", operations.left_overs)
    command.add_argument("--remove", action="store_true", help="remove what is listed")
    _as_json(command)


def _as_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="as JSON, one object a line")


def _positive(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError("a number from 1 on")
    return int(text)


def _token(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]{1,64}", text):
        raise argparse.ArgumentTypeError("letters and digits")
    return text


def _code(text: str) -> str:
    if not re.match(ORG_PATTERN, text):
        raise argparse.ArgumentTypeError("6 lower-case letters and digits")
    return text


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError("an id as list-tokens shows it") from None


def _name(text: str) -> str:
    if not text.isprintable() or len(text) > 100:
        raise argparse.ArgumentTypeError("at most 100 printable characters")
    return text


def _quota(text: str) -> int:
    """A quota, -1 for the one of the settings."""
    if text == "default":
        return -1
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > MOST_QUOTA:
        raise argparse.ArgumentTypeError(f"a number from 0 to {MOST_QUOTA}, or default")
    return int(text)


def _weight(text: str) -> float:
    """A weight, 0 for the usual one."""
    if text == "default":
        return 0.0
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", text) or not LEAST_WEIGHT <= float(text) <= MOST_WEIGHT:
        raise argparse.ArgumentTypeError(f"a number from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}, or default")
    return float(text)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line as a command with its arguments. Wrong ones end the process with exit status 2."""
    return _parser().parse_args(argv)


async def run(settings: ApiSettings, arguments: argparse.Namespace) -> None:
    """Do a command on an up-to-date database.

    Raises:
        NotPossible, ApiError: it cannot be done.
    """
    pool = await open_pool(settings.database_url, 2)
    try:
        if arguments.needs_database:
            await migrate(pool)
        database = Database(pool)
        storages = Storages(database, settings.sealer)
        await arguments.run(AdminContext(settings, pool, database, Passwords(), storages), arguments)
    finally:
        await close_pool(pool)


def main() -> None:
    """Parse the command line and do it; what goes wrong is one line on standard error and exit status 1."""
    arguments = parse()
    settings = settings_or_exit(ApiSettings)
    # Standard output is for what was asked for.
    configure_logs("api-admin", "error", sys.stderr)
    try:
        asyncio.run(run(settings, arguments))
    except NotPossible as error:
        sys.exit(f"{arguments.command}: {error}")
    except ApiError as error:
        sys.exit(f"{arguments.command}: {error.body.get('detail', error.body)}")
    except (ValueError, KeyError, DatabaseDown, NatsError, OSError, asyncpg.PostgresError) as error:
        sys.exit(f"{arguments.command}: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()

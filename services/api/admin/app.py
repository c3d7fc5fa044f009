"""The operator's commands as one typer app: how a coroutine becomes a command of it, and what becomes of errors."""

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import asyncpg
import typer
from nats.errors import Error as NatsError

from services.api.accounts.directory import NotPossible
from services.api.accounts.organizations import Storages
from services.api.accounts.passwords import Passwords
from services.api.admin.context import AdminContext
from services.api.contract.errors import ApiError
from services.api.database.migrate import migrate
from services.api.database.pool import Database, DatabaseDown, close_pool, open_pool
from services.api.settings import ApiSettings
from shared.logs import configure_logs
from shared.settings import settings_or_exit

P = ParamSpec("P")
Work = Callable[Concatenate[AdminContext, P], Awaitable[None]]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Organizations, users, tokens, storage, and what operators on call need.",
)


def command(name: str, *, needs_database: bool = True) -> Callable[[Work[P]], Work[P]]:
    """Makes a coroutine a command, of which all parameters but the first are the command line's.

    What goes wrong is one line on standard error and exit status 1. An object of the app is taken for the settings, which are the
    environment's otherwise.
    """

    def register(work: Work[P]) -> Work[P]:
        @wraps(work)
        def run(typer_context: typer.Context, *args: P.args, **kwargs: P.kwargs) -> None:
            settings = typer_context.obj or settings_or_exit(ApiSettings)
            # Standard output is for what was asked for.
            configure_logs("api-admin", "error", sys.stderr)
            try:
                asyncio.run(_perform(settings, needs_database, lambda context: work(context, *args, **kwargs)))
            except NotPossible as error:
                raise SystemExit(f"{name}: {error}") from error
            except ApiError as error:
                raise SystemExit(f"{name}: {error.body.get('detail', error.body)}") from error
            except (ValueError, KeyError, DatabaseDown, NatsError, OSError, asyncpg.PostgresError) as error:
                raise SystemExit(f"{name}: {type(error).__name__}: {error}") from error

        _sign(run, work)
        app.command(name)(run)
        return work

    return register


def _sign(run: Callable[..., None], work: Work[P]) -> None:
    """Give what typer calls the parameters of the work, and typer's context in place of ours."""
    given = inspect.signature(work)
    parameters = list(given.parameters.values())
    own = inspect.Parameter("typer_context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    signed: Any = run
    signed.__signature__ = given.replace(parameters=[own, *parameters[1:]])
    signed.__annotations__ = {name: kind for name, kind in work.__annotations__.items() if name != parameters[0].name}
    signed.__annotations__ |= {"typer_context": typer.Context}


async def _perform(
    settings: ApiSettings, needs_database: bool, work: Callable[[AdminContext], Awaitable[None]]
) -> None:
    """Do the work, on an up-to-date database if it needs one."""
    pool = await open_pool(settings.database_url, 2)
    try:
        if needs_database:
            await migrate(pool)
        database = Database(pool)
        storages = Storages(database, settings.sealer)
        await work(AdminContext(settings, pool, database, Passwords(), storages))
    finally:
        await close_pool(pool)

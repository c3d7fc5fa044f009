"""Around every command: the client that it works with, and errors as sentences and exit codes."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, ParamSpec, TypeVar

import typer

from millrace_client.backoff import Retries
from millrace_client.cli import config, display
from millrace_client.client import Millrace
from millrace_client.errors import (
    Forbidden,
    InvalidRequest,
    InvalidToken,
    JobFailed,
    MillraceError,
    NotFound,
    SettingsError,
    TooManyRequests,
    UnexpectedAnswer,
    Unreachable,
    WaitTimedOut,
)

P = ParamSpec("P")
T = TypeVar("T")

JOB_FAILED = 1
USAGE = 2
REFUSED = 3
"""The server refused, or was not there."""
INTERRUPTED = 130

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
# Who waits at a terminal wants to know at once that nobody is there; a script wants it done.
_AT_A_TERMINAL = Retries(attempts=3)
_LISTS = {"commands": "millrace list", "hooks": "millrace webhooks list", "tokens": "millrace tokens list"}
"""Where the ids are that the commands of a module take."""
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def connect(retries: Retries | None = None) -> Millrace:
    """The client, with the settings of the environment and of the file.

    Args:
        retries: those of a command if left out.

    Raises:
        SettingsError: some are missing, or the file is damaged.
    """
    found = config.load(os.environ)
    given = (found.get(f"MILLRACE_{name}") for name in ("API_URL", "ORG", "TOKEN"))
    return Millrace(*given, retries=retries or (_AT_A_TERMINAL if sys.stderr.isatty() else None))


def command(work: Callable[P, T]) -> Callable[P, T]:
    """A command whose errors end the program with a sentence that says what to do, and with an exit code."""

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except MillraceError as error:
            display.complain(f"millrace: {error}{_next(error, work.__module__)}")
            raise typer.Exit(_code(error)) from None
        except KeyboardInterrupt:
            display.complain("millrace: stopped looking; a job goes on.")
            raise typer.Exit(INTERRUPTED) from None

    return run


def _code(error: MillraceError) -> int:
    if isinstance(error, JobFailed):
        return JOB_FAILED
    return USAGE if isinstance(error, SettingsError | InvalidRequest) else REFUSED


def _next(error: MillraceError, module: str) -> str:
    """What to type, by what went wrong in the commands of a module."""
    match error:
        case JobFailed():
            return f"\nTry: millrace retry {error.job.id}"
        case WaitTimedOut() if error.job:
            return f"\nTry: millrace watch {error.job.id}"
        case InvalidToken():
            return "\nTry: millrace login"
        case SettingsError():
            return "\nTry: millrace login, or ./millrace up in a checkout of Millrace."
        case NotFound():
            listing = _LISTS.get(module.rpartition(".")[2])
            return f"\nTry: {listing}" if listing else ""
        case Forbidden():
            return "\nTry: millrace whoami"
        case TooManyRequests() if error.retry_after:
            return f"\nTry again in {error.retry_after:.0f} s."
        case UnexpectedAnswer():
            return "\nTry: millrace login, with the address of a Millrace server, or set MILLRACE_API_URL."
        case Unreachable():
            return _start_it()
        case _:
            return ""


def _start_it() -> str:
    """What to type where nobody is at the address."""
    found = config.load(os.environ).get("MILLRACE_API_URL", "")
    if any(host in found for host in _LOOPBACK):
        return "\nTry: ./millrace up in a checkout of Millrace, or millrace login for a server elsewhere."
    return "\nTry: millrace login, with the right address."

"""Around every command: the client that it works with, and errors as sentences and exit codes."""

import os
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import typer

from millrace_client.cli import config, display
from millrace_client.client import Millrace
from millrace_client.errors import InvalidRequest, InvalidToken, JobFailed, MillraceError, SettingsError, WaitTimedOut

P = ParamSpec("P")
T = TypeVar("T")

JOB_FAILED = 1
USAGE = 2
REFUSED = 3
"""The server refused, or was not there."""


def connect() -> Millrace:
    """The client, with the settings of the environment and of the file.

    Raises:
        SettingsError: some are missing.
    """
    found = config.load(os.environ)
    return Millrace(*(found.get(f"MILLRACE_{name}") for name in ("API_URL", "ORG", "TOKEN")))


def command(work: Callable[P, T]) -> Callable[P, T]:
    """A command whose errors end the program with a sentence that says what to do, and with an exit code."""

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except MillraceError as error:
            display.complain(f"millrace: {error}{_next(error)}")
            raise typer.Exit(_code(error)) from None
        except KeyboardInterrupt:
            display.complain("millrace: stopped looking; a job goes on.")
            raise typer.Exit(130) from None

    return run


def _code(error: MillraceError) -> int:
    if isinstance(error, JobFailed):
        return JOB_FAILED
    return USAGE if isinstance(error, SettingsError | InvalidRequest) else REFUSED


def _next(error: MillraceError) -> str:
    """What to type."""
    if isinstance(error, JobFailed):
        return f"\nTry: millrace retry {error.job.id}"
    if isinstance(error, WaitTimedOut) and error.job:
        return f"\nTry: millrace watch {error.job.id}"
    return "\nTry: millrace login" if isinstance(error, SettingsError | InvalidToken) else ""

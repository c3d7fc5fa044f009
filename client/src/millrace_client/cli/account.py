"""The commands that have to do with who one is: logging in and out."""

import os
import sys
from typing import Annotated

import typer

from millrace_client.cli import config, display
from millrace_client.cli.running import command, connect
from millrace_client.client import Millrace

app = typer.Typer()


@app.command()
@command
def login(
    username: Annotated[str, typer.Option(prompt=True)],
    api_url: Annotated[str, typer.Option(envvar="MILLRACE_API_URL", prompt="Address of the server")],
    org: Annotated[str, typer.Option(envvar="MILLRACE_ORG", prompt="Code of the organization")],
) -> None:
    """Get a token and keep it in a file. The password comes from MILLRACE_PASSWORD, a prompt, or a line of standard input."""
    password = os.environ.get("MILLRACE_PASSWORD") or _password()
    with Millrace(api_url, org) as millrace:
        token = millrace.login(username, password, token_name="millrace command line")  # noqa: S106
        file = config.save(os.environ, millrace.core.settings)
    display.say(f"Logged in until {token.expiry:%Y-%m-%d}; kept in {file}.")


@app.command()
@command
def logout() -> None:
    """Revoke the token, and remove the file that keeps it."""
    with connect() as millrace:
        millrace.logout()
    config.forget(os.environ)


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True))
    return sys.stdin.readline().rstrip("\n")

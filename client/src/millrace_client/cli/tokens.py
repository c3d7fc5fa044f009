"""The commands for the organization's tokens."""

from typing import Annotated

import typer

from millrace_client.cli import display
from millrace_client.cli.running import Json, command, connect

app = typer.Typer(no_args_is_help=True, help="The organization's live tokens.")
TokenId = Annotated[str, typer.Argument(help="Id of the token, as list shows it.", metavar="TOKEN")]


@app.command("list")
@command
def list_tokens(as_json: Json = False) -> None:
    """List the live tokens, oldest first. The one that is used here is marked."""
    with connect() as millrace:
        found = list(millrace.tokens.list())
    rows = (
        (each.id, each.name, each.username or "", f"{each.expiry:%Y-%m-%d %H:%M}", "this one" if each.current else "")
        for each in found
    )
    display.show_list(found, ("token", "name", "user", "expires", ""), rows, as_json=as_json)


@app.command()
@command
def create(
    name: Annotated[str, typer.Argument(help="By which people know it, such as: build server")],
    role: Annotated[str, typer.Option(help="viewer, member or admin")] = "member",
    days: Annotated[float | None, typer.Option(help="How long it lives.")] = None,
    as_json: Json = False,
) -> None:
    """Make a token for a program, and show it this once."""
    with connect() as millrace:
        made = millrace.tokens.create(name=name, role=role, days=days)
    # The token alone on standard output, for scripts that keep it.
    display.show(made, made.token, as_json=as_json)
    if not as_json:
        display.complain(f"Token {made.id} lives until {made.expiry:%Y-%m-%d}. It is not shown again.")


@app.command()
@command
def rename(token: TokenId, name: str, as_json: Json = False) -> None:
    """Give a token another name."""
    with connect() as millrace:
        renamed = millrace.tokens.rename(token, name)
    display.show(renamed, f"{renamed.id} {renamed.name}", as_json=as_json)


@app.command()
@command
def revoke(token: TokenId, as_json: Json = False) -> None:
    """Revoke a token, which stops working at once."""
    with connect() as millrace:
        millrace.tokens.revoke(token)
    display.done(f"{token} is revoked.", as_json=as_json, token=token, revoked=True)

"""The commands that have to do with who one is, and where."""

import os
from typing import Annotated

import typer

from millrace_client import json_text
from millrace_client.cli import asking, config, display
from millrace_client.cli.running import Json, command, connect
from millrace_client.client import Millrace

app = typer.Typer()


@app.command()
@command
def login(
    username: Annotated[str, typer.Option(prompt=True)],
    api_url: Annotated[str, typer.Option(envvar="MILLRACE_API_URL", prompt="Address of the server")],
    org: Annotated[str, typer.Option(envvar="MILLRACE_ORG", prompt="Code of the organization")],
    as_json: Json = False,
) -> None:
    """Get a token and keep it in a file. The password comes from MILLRACE_PASSWORD, a prompt, or a line of standard input."""
    password = asking.secret("MILLRACE_PASSWORD", "Password")
    with Millrace(api_url, org) as millrace:
        token = millrace.login(username, password, token_name="millrace command line")  # noqa: S106
        file = config.save(os.environ, millrace.core.settings)
    told = f"Logged in until {token.expiry:%Y-%m-%d}; the token is kept in {file}."
    display.done(told, as_json=as_json, expiry=token.expiry.isoformat(), file=str(file))


@app.command()
@command
def logout(as_json: Json = False) -> None:
    """Revoke the token, and remove the file that keeps it."""
    with connect() as millrace:
        millrace.logout()
    config.forget(os.environ)
    display.done("Logged out.", as_json=as_json, logged_out=True)


@app.command()
@command
def whoami(as_json: Json = False) -> None:
    """Show whose token is used, on which server and until when."""
    with connect() as millrace:
        settings = millrace.core.settings
        own = next((token for token in millrace.tokens.list() if token.current), None)
        organization = millrace.organization()
    found = {
        "api_url": settings.api_url,
        "org": settings.org,
        "organization": organization.name,
        "role": organization.role,
        "username": own.username if own else None,
        "token": {"id": own.id, "name": own.name, "expiry": own.expiry.isoformat()} if own else None,
    }
    if as_json:
        display.say(json_text.write(found))
        return
    rows = [
        ("server", settings.api_url),
        ("organization", f"{settings.org} {organization.name}"),
    ]
    if organization.role:
        rows.append(("role", organization.role))
    if own:
        rows += [("user", own.username or "none: a token of the operator's"), ("token", f"{own.name or own.id}")]
        rows.append(("expires", f"{own.expiry:%Y-%m-%d %H:%M}"))
    display.say(display.facts(rows))


@app.command()
@command
def orgs(as_json: Json = False) -> None:
    """List the organizations that the token can be used for."""
    with connect() as millrace:
        found = [millrace.organization()]
    if as_json:
        # What else admins are answered are keys that they did not ask for.
        for each in found:
            display.say(each.model_dump_json(include={"uuid", "name", "role"}))
    else:
        display.table(("code", "name", "role"), ((each.uuid, each.name, each.role or "") for each in found))

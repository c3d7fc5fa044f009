"""The commands for the storage of the organization."""

from typing import Annotated
from urllib.parse import urlencode

import typer

from millrace_client.cli import asking, display
from millrace_client.cli.running import JOB_FAILED, Json, command, connect
from millrace_client.storage import Storage

app = typer.Typer(no_args_is_help=True, help="The storage whose credentials stand in where a job has none.")


@app.command()
@command
def show(as_json: Json = False) -> None:
    """Show the storage, without its secret."""
    with connect() as millrace:
        found = millrace.storage.get()
    display.show(found, _told(found), as_json=as_json)


@app.command("set")
@command
def set_storage(
    location: Annotated[str, typer.Argument(help="s3://bucket/ or s3://bucket/prefix/")],
    access_key: Annotated[str, typer.Option(help="Id of the access key.", prompt="Access key")],
    region: Annotated[str | None, typer.Option(help="Such as eu-west-1.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Of another provider than AWS: https://…")] = None,
    as_json: Json = False,
) -> None:
    """Set the storage. The secret key comes from MILLRACE_S3_SECRET_KEY, a prompt, or a line of standard input."""
    if "?" in location:
        raise typer.BadParameter("Leave out what follows the ?: keys have no place on a command line.")
    given = {
        "access_key": access_key,
        "secret_key": asking.secret("MILLRACE_S3_SECRET_KEY", "Secret key"),
        "region": region,
        "endpoint": endpoint,
    }
    url = f"{location}?{urlencode({name: value for name, value in given.items() if value})}"
    with connect() as millrace:
        found = millrace.storage.replace(url)
    display.show(found, f"{_told(found)}\nTry it: millrace storage test", as_json=as_json)


@app.command()
@command
def test(as_json: Json = False) -> None:
    """Have the server write, read and remove an object there. Ends with 1 where it cannot."""
    with connect() as millrace:
        found = millrace.storage.test()
    lines = [f"{'ok    ' if step.ok else 'failed'} {step.name} {step.message or ''}".rstrip() for step in found.steps]
    display.show(found, "\n".join(lines), as_json=as_json)
    if not found.ok:
        raise typer.Exit(JOB_FAILED)


def _told(storage: Storage) -> str:
    if not storage.configured:
        return "No storage is set. Try: millrace storage set s3://bucket/"
    rows = [("location", storage.location), ("region", storage.region), ("endpoint", storage.endpoint)]
    return display.facts([*rows, ("access key", storage.access_key)])

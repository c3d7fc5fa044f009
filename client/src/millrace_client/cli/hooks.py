"""The commands that have to do with webhooks."""

import os
import secrets
from base64 import b64encode
from typing import Annotated

import typer

from millrace_client.cli import display
from millrace_client.cli.forwarding import Forwarder
from millrace_client.cli.running import Json, command, connect

app = typer.Typer(no_args_is_help=True, help="Addresses that are told of every change of a job's status.")
HookId = Annotated[str, typer.Argument(help="Id of the webhook.", metavar="HOOK")]


@app.command("list")
@command
def list_hooks(as_json: Json = False) -> None:
    """List webhooks. Their secrets are in the JSON."""
    with connect() as millrace:
        found = list(millrace.webhooks.list())
    display.show_list(found, ("webhook", "url"), ((hook.id, hook.url) for hook in found), as_json=as_json)


@app.command()
@command
def create(url: str, as_json: Json = False) -> None:
    """Register a webhook, and show the secret that its requests are signed with."""
    with connect() as millrace:
        hook = millrace.webhooks.create(url)
    display.show(hook, f"{hook.id} {hook.url} secret: {hook.secret_token}", as_json=as_json)


@app.command()
@command
def delete(hook: HookId, as_json: Json = False) -> None:
    """Remove a webhook."""
    with connect() as millrace:
        millrace.webhooks.delete(hook)
    display.done(f"{hook} is removed.", as_json=as_json, webhook=hook, deleted=True)


@app.command()
@command
def deliveries(
    hook: HookId,
    job: Annotated[str | None, typer.Option(help="Only those of this job.")] = None,
    outcome: Annotated[
        list[str] | None, typer.Option(help="Only those of this outcome, such as failed; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List attempts to tell a webhook, newest first."""
    with connect() as millrace:
        found = list(millrace.webhooks.deliveries(hook, job=job, outcome=outcome or ()))
    rows = (
        (str(each.id), f"{each.at:%Y-%m-%d %H:%M:%S}", each.job, each.status, each.outcome, each.error or "")
        for each in found
    )
    display.show_list(found, ("delivery", "at", "job", "status", "outcome", "error"), rows, as_json=as_json)


@app.command()
@command
def delivery(hook: HookId, delivery: int, as_json: Json = False) -> None:
    """Show an attempt to tell a webhook: what was sent, and the beginning of what was answered."""
    with connect() as millrace:
        found = millrace.webhooks.delivery(hook, delivery)
    lines = [
        f"{found.at:%Y-%m-%d %H:%M:%S} attempt {found.attempt}: {found.outcome}",
        f"sent: {found.request_body or 'no longer known'}",
        f"answered: {found.response_status or found.error or 'not at all'}",
    ]
    if found.response:
        lines += [f"{header.name}: {header.value}" for header in found.response.headers]
        lines += ["", found.response.body + ("…" if found.response.truncated else "")]
    display.show(found, "\n".join(lines), as_json=as_json)


@app.command()
@command
def replay(hook: HookId, delivery: int, as_json: Json = False) -> None:
    """Have a delivery sent once more."""
    with connect() as millrace:
        queued = millrace.webhooks.redeliver(hook, delivery)
    display.show(queued, queued.message, as_json=as_json)


@app.command()
@command
def rotate(
    hook: HookId,
    leaked: Annotated[bool, typer.Option("--leaked", help="Take the secret of before out of use at once.")] = False,
    as_json: Json = False,
) -> None:
    """Give a webhook another secret, which is shown."""
    with connect() as millrace:
        rotated = millrace.webhooks.rotate(hook, overlap_seconds=0 if leaked else None)
    until = rotated.previous_secret_expires_at
    ends = (
        f"the secret of before signs until {until:%Y-%m-%d %H:%M} UTC"
        if until
        else "the secret of before is out of use"
    )
    display.show(rotated, f"{rotated.secret_token}\n{ends}", as_json=as_json)


@app.command()
@command
def test(hook: HookId, as_json: Json = False) -> None:
    """Have a webhook told of a sample job; see its deliveries for what came of it."""
    with connect() as millrace:
        queued = millrace.webhooks.test(hook)
    display.show(queued, queued.message, as_json=as_json)


@app.command()
@command
def listen(
    forward_to: Annotated[str, typer.Option("--forward-to", help="Address on this machine, say, that is told.")],
    as_json: Json = False,
) -> None:
    """Tell an address of every change of a job's status while this runs. For receivers that the server cannot reach.

    Requests are made and signed here as the server does it, once each. The secret is MILLRACE_WEBHOOK_SECRET, or a new one, which
    is shown.
    """
    given = os.environ.get("MILLRACE_WEBHOOK_SECRET")
    secret = given or f"whsec_{b64encode(secrets.token_bytes(30)).decode()}"
    if not forward_to.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{forward_to} is no address: http://localhost:3000/hook, say.")

    def begin() -> None:
        if given:
            display.done("listening", as_json=as_json, listening=True)
        else:
            display.done(f"listening; secret: {secret}", as_json=as_json, listening=True, secret=secret)

    with connect() as millrace, Forwarder(forward_to, secret) as forwarder:
        for job in millrace.jobs.changes(on_begin=begin):
            told = forwarder.tell(job)
            display.done(f"{job.id} {job.status} {told}", as_json=as_json, job=job.id, status=job.status, answer=told)

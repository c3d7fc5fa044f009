"""The commands that have to do with jobs."""

import sys
from typing import Annotated, Any

import typer

from millrace_client import json_text
from millrace_client.cli import display
from millrace_client.cli.running import command, connect
from millrace_client.client import Millrace
from millrace_client.models import Job

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
JobId = Annotated[str, typer.Argument(help="Id of the job.", metavar="JOB")]
Members = Annotated[
    bool,
    typer.Option("--stdin", help="Read further members, such as addresses with keys, from standard input as JSON."),
]


@app.command()
@command
def submit(
    source: Annotated[str, typer.Argument(help="http(s)://… or s3://bucket/key")],
    output: Annotated[str | None, typer.Option(help="s3://bucket/prefix/ in the organization's storage.")] = None,
    resolutions: Annotated[str, typer.Option(help="Such as 240p,480p, or audio.")] = "240p,480p,720p",
    priority: Annotated[str | None, typer.Option(help="low, normal or high")] = None,
    profile: Annotated[str | None, typer.Option(help="Trade of encoding time against size and quality.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the job to its end.")] = False,
    stdin: Members = False,
    as_json: Json = False,
) -> None:
    """Create a job."""
    if "://" not in source:
        raise typer.BadParameter(
            f"{source} is no address: http(s)://… or s3://…. A file of this machine has to be put where the server can read it."
        )
    more = _members() if stdin else {}
    if not output and "output_path" not in more:
        raise typer.BadParameter("Say where the output goes: --output s3://bucket/prefix/")
    with connect() as millrace:
        job = millrace.jobs.create(
            input_url=source,
            output_path=output or "",
            resolutions=[each.strip() for each in resolutions.split(",")],
            priority=priority,
            profile=profile,
            more=more,
        )
        if wait:
            _follow(millrace, job.id, as_json=as_json)
        else:
            display.show(job, display.outcome(job), as_json=as_json)


@app.command()
@command
def watch(job: JobId, as_json: Json = False) -> None:
    """Follow a job to its end."""
    with connect() as millrace:
        _follow(millrace, job, as_json=as_json)


@app.command()
@command
def get(job: JobId, as_json: Json = False) -> None:
    """Show a job."""
    with connect() as millrace:
        found = millrace.jobs.get(job)
    display.show(found, display.outcome(found), as_json=as_json)


@app.command("list")
@command
def list_jobs(
    status: Annotated[list[str] | None, typer.Option(help="Only jobs of this status; may be repeated.")] = None,
    search: Annotated[str | None, typer.Option(help="Only jobs whose id, input or metadata has this in it.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List jobs."""
    with connect() as millrace:
        feed = millrace.jobs.list(status=status or (), search=search, page_size=min(limit, 100))
        jobs = [job for job, _ in zip(feed, range(limit), strict=False)]
    display.show_list(jobs, ("job", "status", "done", "created", "input"), map(_row, jobs), as_json=as_json)


@app.command()
@command
def cancel(job: JobId) -> None:
    """Cancel a job."""
    with connect() as millrace:
        display.say(millrace.jobs.cancel(job))


@app.command()
@command
def retry(
    job: JobId,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the new job to its end.")] = False,
    stdin: Members = False,
    as_json: Json = False,
) -> None:
    """Run a job again that failed or was cancelled."""
    with connect() as millrace:
        again = millrace.jobs.retry(job, more=_members() if stdin else {})
        if wait:
            _follow(millrace, again.id, as_json=as_json)
        else:
            display.show(again, display.outcome(again), as_json=as_json)


def _follow(millrace: Millrace, job: str, *, as_json: bool) -> None:
    last = display.show_progress(millrace.jobs.follow(job), as_json=as_json)
    if last:
        last.raise_if_failed()


def _row(job: Job) -> tuple[str, ...]:
    created = f"{job.created:%Y-%m-%d %H:%M}" if job.created else ""
    return job.id, job.status, f"{job.progress} %", created, job.input_url


def _members() -> dict[str, Any]:
    try:
        found = json_text.parse(sys.stdin.read())
    except ValueError as error:
        raise typer.BadParameter(f"Standard input is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise typer.BadParameter('Standard input is no JSON object, such as {"output_path": "s3://…"}.')
    return found

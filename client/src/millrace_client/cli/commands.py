"""The commands that have to do with jobs."""

import re
import secrets
import webbrowser
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from millrace_client.cli import asking, display
from millrace_client.cli.parts import PartCounter
from millrace_client.cli.running import Json, command, connect
from millrace_client.client import Millrace
from millrace_client.models import Job, StageSpan, TimelinePart

app = typer.Typer()

JobId = Annotated[str, typer.Argument(help="Id of the job.", metavar="JOB")]
Members = Annotated[
    bool,
    typer.Option("--stdin", help="Read further members, such as addresses with keys, from standard input as JSON."),
]


@app.command()
@command
def submit(
    source: Annotated[str, typer.Argument(help="A file, which is uploaded first; http(s)://…; or s3://bucket/key")],
    output: Annotated[
        str | None, typer.Option(help="s3://bucket/prefix/; else a new prefix in the organization's storage.")
    ] = None,
    resolutions: Annotated[str, typer.Option(help="Such as 240p,480p, or audio.")] = "240p,480p,720p",
    priority: Annotated[str | None, typer.Option(help="low, normal or high")] = None,
    profile: Annotated[str | None, typer.Option(help="Trade of encoding time against size and quality.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the job to its end.")] = False,
    stdin: Members = False,
    as_json: Json = False,
) -> None:
    """Create a job. A file of this machine is uploaded into the organization's storage first."""
    file = None if "://" in source else Path(source)
    if file and not file.is_file():
        raise typer.BadParameter(f"{source} is no file, and no address: http(s)://… or s3://….")
    more = asking.members() if stdin else {}
    with connect() as millrace:
        if not output and "output_path" not in more:
            output = _new_prefix(millrace, source)
        job = millrace.jobs.create(
            input_url=_uploaded(millrace, file, as_json=as_json) if file else source,
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
def cancel(job: JobId, as_json: Json = False) -> None:
    """Cancel a job."""
    with connect() as millrace:
        message = millrace.jobs.cancel(job)
    display.done(message, as_json=as_json, job=job, message=message)


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
        again = millrace.jobs.retry(job, more=asking.members() if stdin else {})
        if wait:
            _follow(millrace, again.id, as_json=as_json)
        else:
            display.show(again, display.outcome(again), as_json=as_json)


@app.command("open")
@command
def open_job(
    job: JobId,
    show: Annotated[bool, typer.Option("--print", help="Print the address instead of opening it.")] = False,
) -> None:
    """Open a job in the console, in a browser."""
    with connect() as millrace:
        found, settings = millrace.jobs.get(job), millrace.core.settings
    address = f"{settings.api_url}/console/{settings.org}/jobs/{found.id}"
    # Where there is no browser, as on a server, the address is for one that is elsewhere.
    if show or not webbrowser.open(address):
        display.say(address)


@app.command()
@command
def timeline(job: JobId, as_json: Json = False) -> None:
    """Show what has happened to a job. Its stages, and who did its parts, how fast and at which attempt."""
    with connect() as millrace:
        found = millrace.jobs.timeline(job)
    if as_json:
        display.say(found.model_dump_json(exclude={"count"}))
        return
    display.table(("stage", "began", "seconds"), map(_stage_row, found.stages))
    for wait in found.waiting:
        display.say(f"waiting since {wait.since:%Y-%m-%d %H:%M:%S} for {wait.code}: {wait.message}")
    if found.parts:
        display.say("")
        display.table(("part", "film", "state", "worker", "attempt", "encoder", "speed"), map(_part_row, found.parts))


def _uploaded(millrace: Millrace, file: Path, *, as_json: bool) -> str:
    """Where a file lies that was uploaded now."""
    try:
        if as_json:
            return millrace.uploads.upload(file).input_url
        # It takes a while to load, which other commands need not wait for.
        from millrace_client.cli.uploading import UploadView

        with UploadView(file) as view:
            return millrace.uploads.upload(file, progress=view).input_url
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}.") from None


def _new_prefix(millrace: Millrace, source: str) -> str:
    """Where nothing lies yet in the storage of the organization, by the name of the source.

    Raises:
        BadParameter: it has none.
    """
    location = millrace.storage.get().location
    if location is None:
        raise typer.BadParameter(
            "Say where the output goes: --output s3://bucket/prefix/. Or set a storage: millrace storage set"
        )
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", PurePosixPath(source.partition("?")[0]).stem).strip("-")[:60] or "video"
    return f"{location}{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}/"


def _follow(millrace: Millrace, job: str, *, as_json: bool) -> None:
    # Whether the server and the job are there is known at once; following is patient with both.
    millrace.jobs.get(job)
    count = PartCounter(lambda page: millrace.jobs.timeline_page(job, page))
    last = display.show_progress(millrace.jobs.follow(job), count, as_json=as_json)
    if last:
        last.raise_if_failed()


def _row(job: Job) -> tuple[str, ...]:
    created = f"{job.created:%Y-%m-%d %H:%M}" if job.created else ""
    return job.id, job.status, f"{job.progress} %", created, job.input_url


def _stage_row(span: StageSpan) -> tuple[str, ...]:
    seconds = f"{(span.ended - span.began).total_seconds():.1f}" if span.ended else "…"
    return span.stage, f"{span.began:%Y-%m-%d %H:%M:%S}", seconds


def _part_row(part: TimelinePart) -> tuple[str, ...]:
    begin = part.begin or 0.0
    film = f"{begin:.1f}–{begin + part.duration:.1f} s" if part.duration is not None else ""
    done = part.encode
    state = "uploaded" if part.upload else "encoded" if done else "requested" if part.requested else ""
    if done is None:
        return part.part, film, state, "", "", "", ""
    failed = ", ".join(f"{code} × {times}" for code, times in done.failures.items())
    attempt = str(done.attempt or "") + (f" after {failed}" if failed else "")
    return (
        part.part,
        film,
        state,
        done.worker or "",
        attempt,
        done.encoder or "",
        f"{done.speed:g}" if done.speed else "",
    )

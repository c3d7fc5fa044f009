"""What people and scripts see: live in a terminal, plain lines elsewhere, JSON where it is asked for."""

import sys
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from millrace_client import json_text
from millrace_client.models import Job, Resource


def say(text: str) -> None:
    """A line on standard output, in which nothing steers the terminal."""
    print(_harmless(text), flush=True)


def complain(text: str) -> None:
    """A line on standard error."""
    print(_harmless(text), file=sys.stderr, flush=True)


def show(resource: Resource, text: str, *, as_json: bool) -> None:
    """What was answered: as it came, or as a sentence."""
    say(_one_line(resource) if as_json else text)


def show_list(
    found: Iterable[Resource], titles: Sequence[str], rows: Iterator[Sequence[str]], *, as_json: bool
) -> None:
    """A list: one JSON object a line, a table in a terminal, or values with tabs between them."""
    if as_json:
        for resource in found:
            say(_one_line(resource))
    elif sys.stdout.isatty():
        table = Table(*titles, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(Text(_harmless(cell), overflow="fold") for cell in row))
        Console().print(table)
    else:
        for row in rows:
            say("\t".join(cell.replace("\t", " ") for cell in row))


def show_progress(states: Iterator[Job], *, as_json: bool) -> Job | None:
    """Show states as they come. Returns the last one."""
    if as_json or not sys.stdout.isatty():
        return _lines(states, as_json=as_json)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    last: Job | None = None
    with Progress(*columns, console=Console()) as progress:
        task = progress.add_task("", total=100)
        for last in states:
            progress.update(task, description=_stage(last).ljust(12), completed=last.progress)
    if last:
        say(outcome(last))
    return last


def outcome(job: Job) -> str:
    """How a job stands, in a sentence."""
    if job.outputs:
        return f"{job.id} completed: {job.outputs.master}"
    reason = f": {job.error_message}" if job.error_message else ""
    code = f" ({job.error_code})" if job.error_code else ""
    return f"{job.id} {job.status}{reason}{code}" + ("" if job.finished else f", {_stage(job)} {job.progress} %")


def _lines(states: Iterator[Job], *, as_json: bool) -> Job | None:
    last: Job | None = None
    for last in states:
        say(_one_line(last) if as_json else outcome(last))
    return last


def _stage(job: Job) -> str:
    return f"waiting for {job.waiting.code}" if job.waiting else job.stage


def _one_line(resource: Resource) -> str:
    return json_text.write(resource.raw)


def _harmless(text: str) -> str:
    return "".join(letter if letter.isprintable() or letter in "\t\n" else " " for letter in text)

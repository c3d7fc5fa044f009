"""What people and scripts see: live in a terminal, plain lines elsewhere, JSON where it is asked for."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from millrace_client import json_text
from millrace_client.cli.parts import Parts
from millrace_client.models import Job, Resource


def say(text: str) -> None:
    """A line on standard output, in which nothing steers the terminal."""
    print(harmless(text), flush=True)


def complain(text: str) -> None:
    """A line on standard error."""
    print(harmless(text), file=sys.stderr, flush=True)


def show(resource: Resource, text: str, *, as_json: bool) -> None:
    """What was answered: as it came, or as a sentence."""
    say(one_line(resource) if as_json else text)


def done(text: str, *, as_json: bool, **members: object) -> None:
    """What was done: as a sentence, or as an object with these members."""
    say(json_text.write(members) if as_json else text)


def facts(rows: Iterable[tuple[str, str | None]]) -> str:
    """Names with their values, a line for each that has one."""
    known = [(name, value) for name, value in rows if value]
    width = max((len(name) for name, _ in known), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in known)


def show_list(
    found: Iterable[Resource], titles: Sequence[str], rows: Iterator[Sequence[str]], *, as_json: bool
) -> None:
    """A list: one JSON object a line, a table in a terminal, or values with tabs between them."""
    if as_json:
        for resource in found:
            say(one_line(resource))
    else:
        table(titles, rows)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table in a terminal, or values with tabs between them."""
    if not sys.stdout.isatty():
        for row in rows:
            say("\t".join(cell.replace("\t", " ") for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*titles, box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*(Text(harmless(cell), overflow="fold") for cell in row))
    Console().print(shown)


def show_progress(states: Iterator[Job], count: Callable[[], Parts], *, as_json: bool) -> Job | None:
    """Show states as they come. Returns the last one.

    Args:
        count: how many parts are done; asked in a terminal alone.
    """
    last: Job | None = None
    if as_json:
        for last in states:
            say(one_line(last))
        return last
    from rich.console import Console

    from millrace_client.cli.live import JobView

    with JobView(Console(), count) as view:
        for last in states:
            view.show(last)
    if last:
        say(outcome(last))
    return last


def outcome(job: Job) -> str:
    """How a job stands, in a sentence."""
    if job.outputs:
        return f"{job.id} completed: {job.outputs.master}"
    reason = f": {job.error_message}" if job.error_message else ""
    code = f" ({job.error_code})" if job.error_code else ""
    return f"{job.id} {job.status}{reason}{code}" + ("" if job.finished else f", {stage_of(job)} {job.progress} %")


def stage_of(job: Job) -> str:
    """The stage, or what keeps the job in it."""
    return f"waiting for {job.waiting.code}" if job.waiting else job.stage


def one_line(resource: Resource) -> str:
    """The JSON as it came, on one line."""
    return json_text.write(resource.raw)


def harmless(text: str) -> str:
    """The text without what steers a terminal."""
    return "".join(letter if letter.isprintable() or letter in "\t\n" else " " for letter in text)

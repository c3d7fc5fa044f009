"""``millrace`` itself: a list of commands, each of which is imported when it is run."""

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from millrace_client.cli.table import TABLE, Entry
from millrace_client.version import version

NOT_HERE = 2


class CommandTable(TyperGroup):
    """The commands of the table. Those that are only listed or completed are their names and first sentences."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for entry in TABLE.values():
            self.add_command(TyperCommand(entry.name, help=entry.text, rich_help_panel=entry.panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names, as it really is."""
        if args and (entry := TABLE.get(args[0])):
            try:
                self.add_command(load(entry), entry.name)
            except ModuleNotFoundError as error:
                if entry.own:
                    raise
                # A shell that completes shall be told nothing.
                if not ctx.resilient_parsing:
                    _not_here(entry, error)
        return super().resolve_command(ctx, args)


def load(entry: Entry) -> Any:
    """The command, with its options.

    Raises:
        ModuleNotFoundError: it is not installed here.
    """
    group = get_group(importlib.import_module(entry.module).app)
    return group if entry.group else group.commands[entry.name]


app = typer.Typer(
    cls=CommandTable,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Millrace, the video transcoding service. Settings: MILLRACE_API_URL, MILLRACE_ORG and MILLRACE_TOKEN, "
    "or those that `millrace login` keeps. Ends with 0 where all went well, 1 where a job failed, 2 where the command is wrong, "
    "3 where the server refused or is down.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"millrace {version()}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Nothing of its own: what a command does is the command's."""


def _not_here(entry: Entry, error: ModuleNotFoundError) -> None:
    typer.echo(
        f"millrace {entry.name} is part of the server, of which {error.name} is not installed here: "
        f"in a checkout of Millrace, run ./millrace {entry.name}",
        err=True,
    )
    raise typer.Exit(NOT_HERE)

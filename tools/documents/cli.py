"""The reference of the command line, from the commands themselves."""

from collections.abc import Iterator
from typing import Any

import typer
from typer.main import get_command

from millrace_client.cli.root import app, load
from millrace_client.cli.table import TABLE

_INTRODUCTION = """\
# The command line

`./millrace` in a checkout has all of these commands; `pip install 'millrace-client[cli]'` brings those of the panels “Jobs” and
“Account” to any machine. [The client's page](../client/README.md#command-line) says where its settings come from.

| Exit status | Meaning |
|---|---|
| 0 | all went well; with `--wait`, the job completed |
| 1 | the job failed; a command of the server could not be done; `doctor`, `check` or `storage test` has found something wrong |
| 2 | the command is wrong, or a setting is missing; of `check`, the playlist cannot be read |
| 3 | the server refused, or is down |
| 130 | interrupted; a job goes on |

`--install-completion` has the shell complete commands and options, `--help` after any command shows what is here.
"""


def cli_reference() -> str:
    """A section for every command."""
    panels: dict[str, list[str]] = {}
    root: Any = typer.Context(get_command(app), info_name="millrace")
    for entry in TABLE.values():
        command = load(entry)
        sections = panels.setdefault(entry.panel, [])
        sections += _sections(command, entry.name, root)
    return _INTRODUCTION + "".join(f"\n## {panel}\n" + "".join(sections) for panel, sections in panels.items())


def _sections(command: Any, name: str, parent: Any, level: int = 3) -> Iterator[str]:
    context = typer.Context(command, info_name=name, parent=parent)
    commands: dict[str, Any] = getattr(command, "commands", {})
    yield _section(command, context, level)
    # By name: that of the operator's commands is the order in which their modules were imported.
    for inner, one in sorted(commands.items()):
        if not one.hidden:
            yield from _sections(one, inner, context, level + 1)


def _section(command: Any, context: Any, level: int) -> str:
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        "",
        f"{'#' * level} {context.command_path}",
        "",
        f"`{context.command_path} {usage}`".replace(" `", "`"),
        "",
    ]
    lines.append("\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n")))
    records = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    rows = [f"| `{name.strip()}` | {_cell(text)} |" for name, text in records]
    if rows:
        lines += ["", "| | |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

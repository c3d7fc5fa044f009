"""``millrace admin``: the operator's commands, with the settings of the stack of this checkout where the environment has none."""

import os

import typer

from services.api.admin.all_commands import app as commands
from services.api.settings import ApiSettings
from stack.commands import STATE_DIR, StateDir
from stack.credentials import load_or_create
from stack.lifecycle import running_layout, supervisor_of
from stack.services import environment

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.add_typer(commands)


@app.callback()
def admin(context: typer.Context, state_dir: StateDir = STATE_DIR) -> None:
    """Organizations, users, and what operators on call need.

    Settings are those of the api, in the environment; without MILLRACE_API_DATABASE_URL there, those of the stack that runs.
    """
    layout = running_layout(state_dir.absolute())
    if "MILLRACE_API_DATABASE_URL" not in os.environ and supervisor_of(layout):
        settings = environment("api", layout, load_or_create(layout.state), os.environ)
        context.obj = ApiSettings.from_environment(settings)

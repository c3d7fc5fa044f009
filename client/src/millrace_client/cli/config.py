"""The settings: those of the environment, those that ``millrace login`` keeps, or those of a stack in this folder.

What is kept is one small JSON file that its owner alone can read.
"""

import json
import os
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path

from millrace_client.errors import SettingsError
from millrace_client.settings import Settings

_NAMES = {"api_url": "MILLRACE_API_URL", "org": "MILLRACE_ORG", "token": "MILLRACE_TOKEN"}
_NAMES_OF_A_STACK = {"API_URL": "MILLRACE_API_URL", "ORG_ID": "MILLRACE_ORG", "API_TOKEN": "MILLRACE_TOKEN"}


def path(environment: Mapping[str, str]) -> Path:
    """Where the file is, by the XDG base directory specification."""
    base = environment.get("XDG_CONFIG_HOME") or os.path.join(environment.get("HOME", "~"), ".config")  # noqa: PTH118
    return Path(base).expanduser() / "millrace" / "config.json"


def load(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment's variables, and the file's values for those that are not set there; a stack's where neither has a server.

    Raises:
        SettingsError: the file is damaged.
    """
    file = path(environment)
    kept: object = {}
    if file.exists():
        try:
            kept = json.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise SettingsError(f"{file} cannot be read: {error}. Remove it, and run: millrace login") from None
    if not isinstance(kept, dict):
        raise SettingsError(f"{file} is damaged. Remove it, and run: millrace login")
    found = {variable: str(kept[name]) for name, variable in _NAMES.items() if kept.get(name)}
    # A token belongs to one server and one organization: with others of the environment's it must not go out.
    if any(environment.get(name, found.get(name)) != found.get(name) for name in ("MILLRACE_API_URL", "MILLRACE_ORG")):
        found.pop("MILLRACE_TOKEN", None)
    found |= {name: environment[name] for name in _NAMES.values() if environment.get(name)}
    return found if "MILLRACE_API_URL" in found else found | _of_a_stack(environment)


def _of_a_stack(environment: Mapping[str, str]) -> dict[str, str]:
    """What ``millrace up`` has written into the state directory."""
    file = Path(environment.get("STATE_DIR") or ".millrace") / "env"
    if not file.is_file():
        return {}
    pairs = (line.partition("=") for line in file.read_text().splitlines())
    return {
        _NAMES_OF_A_STACK[name]: "".join(shlex.split(value)) for name, _, value in pairs if name in _NAMES_OF_A_STACK
    }


def save(environment: Mapping[str, str], settings: Settings) -> Path:
    """Write the file, readable by its owner alone, whole or not at all."""
    file = path(environment)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes files of mode 0600.
    handle, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "w") as made:
        json.dump({"api_url": settings.api_url, "org": settings.org, "token": settings.token}, made)
    Path(name).replace(file)
    return file


def forget(environment: Mapping[str, str]) -> None:
    """Remove the file."""
    path(environment).unlink(missing_ok=True)

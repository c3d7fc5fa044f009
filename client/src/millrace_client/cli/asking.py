"""Secrets and documents of the person or script at the other end; neither ever stands on a command line, which all can read."""

import os
import sys
from typing import Any

import typer

from millrace_client import json_text


def secret(variable: str, prompt: str) -> str:
    """A secret: of the environment, typed unseen, or a line of standard input.

    Raises:
        BadParameter: nothing was given.
    """
    if given := os.environ.get(variable):
        return given
    if sys.stdin.isatty():
        return str(typer.prompt(prompt, hide_input=True))
    line = sys.stdin.readline().rstrip("\n")
    if not line:
        raise typer.BadParameter(f"{prompt} is missing: set {variable}, or write it to standard input.")
    return line


def members() -> dict[str, Any]:
    """The JSON object on standard input.

    Raises:
        BadParameter: it is none.
    """
    try:
        found = json_text.parse(sys.stdin.read())
    except ValueError as error:
        raise typer.BadParameter(f"Standard input is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise typer.BadParameter('Standard input is no JSON object, such as {"output_path": "s3://…"}.')
    return found

"""The checker of a checkout as a command."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def check(
    playlist: Annotated[str, typer.Argument(help="The multivariant playlist: a URL or a path.", metavar="URL")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    key_file: Annotated[
        Path | None, typer.Option(help="File with the key of whole segments: 16 bytes, or 32 hexadecimal digits.")
    ] = None,
) -> None:
    """Check a finished presentation against the rules for HLS and DASH.

    Everything that the playlist leads to is read and measured, and beside it the DASH manifest of the same name. Ends with 0
    where no MUST is violated, with 1 where one is, and with 2 where the playlist cannot be read.
    """
    options = ["--json"] if as_json else []
    options += ["--key-file", str(key_file)] if key_file else []
    # The checker trusts nothing of ours, and is no part of this distribution.
    status: int = importlib.import_module("checker.__main__").main([*options, "--", playlist])
    raise typer.Exit(status)

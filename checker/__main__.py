"""Check a stream: ``python -m checker <master playlist, URL or path> [--json]``."""

import argparse
import asyncio
import json
import sys

from checker.playlist import NotAPlaylist
from checker.report import as_data, as_text
from checker.rules import apply_rules
from checker.source import Unreadable, read_stream


def main(arguments: list[str] | None = None) -> int:
    """Check and print; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m checker", description=__doc__)
    parser.add_argument("master", help="address of the master playlist: a URL or a path")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(arguments)
    try:
        report = apply_rules(asyncio.run(read_stream(options.master)))
    except (Unreadable, NotAPlaylist) as error:
        print(f"{options.master}: {error}", file=sys.stderr)
        return 2
    print(json.dumps(as_data(report), indent=2) if options.json else as_text(report))
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())

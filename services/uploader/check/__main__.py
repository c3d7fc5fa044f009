"""Check a stream: ``python -m services.uploader.check <master playlist, URL or path> [--json]``."""

import argparse
import asyncio
import json
import sys

from services.uploader.check.playlist import NotAPlaylist
from services.uploader.check.report import as_data, as_text
from services.uploader.check.rules import apply_rules
from services.uploader.check.source import Unreadable, read_stream


def main(arguments: list[str] | None = None) -> int:
    """Check and print; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.uploader.check", description=__doc__)
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

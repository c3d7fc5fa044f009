"""Holds a finished presentation for HLS and DASH against the rules, measuring all of it anew."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from checker.keys import KEY_BYTES
from checker.playlist import NotAPlaylist
from checker.reading import read_presentation
from checker.report import as_data, as_text
from checker.rules import GROWING_RULES, RULES, apply_rules
from checker.source import Unreadable

_EPILOGUE = """\
Everything that the playlist leads to is read, and beside it the DASH manifest of the same name and the pictures for the seek
bar. Samples that are encrypted (cbcs) are checked without their keys; where whole segments are (AES-128), the key is read from
where the playlist says, or given in a file. Each rule comes out as ok, as MUST or SHOULD where it is violated, or as skip. Its
id says where it is from: apple-N, item N of Apple's HLS authoring specification; rfc8216bis-N, section N of that draft; dash-…,
ISO/IEC 23009-1; cmaf-…, ISO/IEC 23000-19; mp4-…, ISO/IEC 14496-14; millrace-…, a promise of Millrace.

exit status: 0 where no MUST is violated, 1 where one is, 2 where the multivariant playlist cannot be read."""


def main(arguments: list[str] | None = None) -> int:
    """Check and print; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m checker",
        description=__doc__,
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("playlist", help="the multivariant playlist: a URL or a path")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    # Not on the command line, which every user of the machine can read.
    parser.add_argument(
        "--key-file", type=Path, help="file with the key of whole segments: 16 bytes, or 32 hexadecimal digits"
    )
    parser.add_argument(
        "--growing",
        action="store_true",
        help="the presentation is not complete yet: its playlists are of type EVENT, and grow",
    )
    options = parser.parse_args(arguments)
    try:
        key = _read_key(options.key_file) if options.key_file else None
    except (OSError, ValueError) as error:
        parser.error(f"--key-file: {error}")
    try:
        rules = GROWING_RULES if options.growing else RULES
        report = apply_rules(asyncio.run(read_presentation(options.playlist, key=key)), rules)
    except (Unreadable, NotAPlaylist) as error:
        print(f"{options.playlist}: {error}", file=sys.stderr)
        return 2
    print(json.dumps(as_data(report), indent=2, ensure_ascii=False) if options.json else as_text(report))
    return 0 if report.ok else 1


def _read_key(file: Path) -> bytes:
    """Raises: OSError: it cannot be read. ValueError: it is no key."""
    body = file.read_bytes()
    key = body if len(body) == KEY_BYTES else bytes.fromhex(body.decode("ascii", "replace"))
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    return key


if __name__ == "__main__":
    sys.exit(main())

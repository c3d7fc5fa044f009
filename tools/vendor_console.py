"""``python -m tools.vendor_console [--pin]``: writes the folders ``vendor/`` of the console and of ``/docs/``.

The ``vendor.lock.json`` beside each names npm packages by version and by the digest of their tarball, the files that are taken
from each, and the digest of what is written. npm fetches the tarballs, from whichever registry it is set up for. Without
``--pin``, anything that does not have its digest is refused; with it, the digests of a version that was changed by hand are
written anew.

Browsers load these files as they are, so two things are different from what is in the tarball: names of packages in imports
become relative paths, since without an inline script a page cannot say what they stand for; and the address of the source map,
which is left out, goes.
"""

import argparse
import base64
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONSOLE = ROOT / "console"
SWAGGER = ROOT / "services" / "api" / "http" / "swagger"
LOCK, VENDOR = "vendor.lock.json", "vendor"
_SOURCE_MAP = re.compile(r"\n?//# sourceMappingURL=\S+\s*\Z")
_IMPORT = re.compile(r"""(\bfrom|\bimport)\s*(["'])([^"'./][^"']*)\2""")


class Refused(Exception):
    """A file is not what the lock says."""


def integrity_of(tarball: bytes) -> str:
    """The digest of a tarball, as npm writes it."""
    return f"sha512-{base64.b64encode(sha512(tarball).digest()).decode()}"


def taken(tarball: bytes, member: str, paths: Mapping[str, str]) -> bytes:
    """A file of a tarball as browsers can load it.

    Args:
        member: its path in the package. paths: what the names of packages in its imports stand for.

    Raises:
        KeyError: there is no such file, or it imports a package that is not in ``paths``.
    """
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
        found = archive.extractfile(f"package/{member}")
        if found is None:
            raise KeyError(member)
        content = found.read()
    if not member.endswith((".js", ".mjs")):
        return content
    text = _SOURCE_MAP.sub("\n", content.decode())
    if not paths:
        return text.encode()
    return _IMPORT.sub(lambda match: f"{match[1]}{match[2]}{paths[match[3]]}{match[2]}", text).encode()


def vendored(lock: dict[str, Any], tarballs: Mapping[str, bytes], *, pin: bool) -> dict[str, bytes]:
    """What belongs into the folder, by path.

    Args:
        lock: contents of the lock; with ``pin``, the digests in it are replaced.
        tarballs: by the name of the package.

    Raises:
        Refused: something does not have its digest.
    """
    written = {}
    for name, package in lock["packages"].items():
        _hold(package, "integrity", integrity_of(tarballs[name]), f"the tarball of {name}", pin=pin)
        for path, file in package["files"].items():
            content = taken(tarballs[name], file["member"], file.get("imports", {}))
            _hold(file, "sha256", sha256(content).hexdigest(), path, pin=pin)
            written[path] = content
    return written


def _hold(entry: dict[str, Any], key: str, digest: str, what: str, *, pin: bool) -> None:
    if pin:
        entry[key] = digest
    elif entry.get(key) != digest:
        raise Refused(f"{what} has the digest {digest}, and {LOCK} says {entry.get(key)}.")


def _fetch(name: str, version: str, folder: Path) -> bytes:
    """The tarball of a package."""
    command = ["npm", "pack", f"{name}@{version}", "--silent", "--pack-destination", str(folder)]
    file = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1]
    return (folder / file).read_bytes()


def main() -> None:
    """Write the folders."""
    parser = argparse.ArgumentParser(description="Write the folders vendor/ as the vendor.lock.json beside each says.")
    parser.add_argument("--pin", action="store_true", help="write the digests of what was fetched into the locks")
    pin = parser.parse_args().pin
    try:
        for parent in (CONSOLE, SWAGGER):
            print(_write(parent, pin=pin))
    except Refused as refusal:
        sys.exit(f"Nothing more was written: {refusal}")


def _write(parent: Path, *, pin: bool) -> str:
    """Write the folder in a folder; what was done, as a sentence.

    Raises:
        Refused: something does not have its digest. Nothing was written then.
    """
    lock = json.loads((parent / LOCK).read_text())
    with tempfile.TemporaryDirectory() as folder:
        tarballs = {name: _fetch(name, entry["version"], Path(folder)) for name, entry in lock["packages"].items()}
    files = vendored(lock, tarballs, pin=pin)
    vendor = parent / VENDOR
    vendor.mkdir(exist_ok=True)
    for old in vendor.iterdir():
        old.unlink()
    for path, content in files.items():
        (vendor / path).write_bytes(content)
    if pin:
        (parent / LOCK).write_text(json.dumps(lock, indent=2) + "\n")
    return f"{len(files)} files of {len(tarballs)} packages in {vendor.relative_to(ROOT)}/"


if __name__ == "__main__":
    main()

"""The files of the console: what is served under which name, compressed once, and which of them the first view needs."""

import gzip
import posixpath
import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "console"
PAGE = "index.html"
ENTRY = "main.js"
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".html": "text/html",
    ".txt": "text/plain",
}
# Above this the program's answers are not worth the processor's time to compress.
_SMALLEST_COMPRESSED = 200
_STATIC_IMPORT = re.compile(r"""^(?:import|export)\b(?:[^"';]*?\bfrom)?\s*["'](\.[^"']+)["']""", re.MULTILINE)


@dataclass(frozen=True)
class File:
    """A file as it is served."""

    media_type: str
    content: bytes

    @cached_property
    def etag(self) -> str:
        """Digest of the contents."""
        return sha256(self.content).hexdigest()[:32]

    @cached_property
    def compressed(self) -> bytes | None:
        """With gzip; None where that gains nothing. Takes milliseconds to tens of them, the first time."""
        if len(self.content) < _SMALLEST_COMPRESSED:
            return None
        # Without a time in it, every replica of the api answers the same bytes.
        return gzip.compress(self.content, 9, mtime=0)


class ConsoleFiles:
    """All files of the console, read once: nothing else can be asked for, whatever a path looks like.

    Attributes:
        version: a digest of all files. It stands in their addresses, so that browsers may keep them for ever.
        page: the page, which loads the rest.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in _TYPES and path.is_file())
        self._files = {
            path.relative_to(folder).as_posix(): File(_TYPES[path.suffix], path.read_bytes()) for path in paths
        }
        digest = sha256()
        for name, file in self._files.items():
            digest.update(f"{name}\0{file.etag}\n".encode())
        self.version = digest.hexdigest()[:16]
        self.page = self._finished(self._files.pop(PAGE))

    def get(self, name: str) -> File | None:
        """The file of a name, a path with slashes below the folder."""
        return self._files.get(name)

    def imported(self, entry: str) -> list[str]:
        """The modules that a module leads to, without those that are loaded only when they are needed; itself first."""
        found, left = [entry], [entry]
        while left:
            name = left.pop(0)
            text = self._files[name].content.decode()
            for relative in _STATIC_IMPORT.findall(text):
                target = posixpath.normpath(posixpath.join(posixpath.dirname(name), relative))
                if target not in found:
                    found.append(target)
                    left.append(target)
        return found

    def first_view(self) -> list[File]:
        """What is loaded before the first view is there: the page, its styles and scripts, and the modules these lead to."""
        text = self.page.content.decode()
        prefix = re.escape(f"/console/assets/{self.version}/")
        return [self.page, *(self._files[name] for name in dict.fromkeys(re.findall(rf'"{prefix}([^"]+)"', text)))]

    def _finished(self, page: File) -> File:
        """The page with the version in its addresses, and a hint for each module, so that all are loaded side by side."""
        hints = "\n".join(
            f'<link rel="modulepreload" href="/console/assets/@version/{name}">' for name in self.imported(ENTRY)
        )
        text = page.content.decode().replace("<!-- modules -->", hints).replace("@version", self.version)
        return File(page.media_type, text.encode())

"""The console as the api serves it: its libraries, how much its first view is, and what a browser is told."""

import gzip
import json
import re
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from services.api.http.authorized import Runtime
from services.api.http.console import ConsoleHandlers, policy_of
from services.api.http.console_files import ENTRY, FOLDER, ConsoleFiles
from services.api.http.middleware import answer_errors
from tools.vendor_console import CONSOLE, LOCK, VENDOR, Refused, integrity_of, taken, vendored

FIRST_VIEW = 100_000


@pytest.fixture(scope="module")
def files() -> ConsoleFiles:
    return ConsoleFiles()


@pytest.fixture
async def client(files: ConsoleFiles) -> TestClient[web.Request, web.Application]:
    app = web.Application(middlewares=[answer_errors])
    app.add_routes(ConsoleHandlers(files, Runtime()).routes())
    return TestClient(TestServer(app))


def test_the_libraries_are_those_of_the_lock() -> None:
    packages = json.loads((CONSOLE / LOCK).read_text())["packages"].values()
    wanted = {path: file["sha256"] for package in packages for path, file in package["files"].items()}
    assert {path.name: sha256(path.read_bytes()).hexdigest() for path in (CONSOLE / VENDOR).iterdir()} == wanted
    assert all(re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package["integrity"]) for package in packages)
    # Wherever npm gets packages from is the business of whoever runs it.
    assert "://" not in (CONSOLE / LOCK).read_text()


def test_a_library_that_is_not_what_the_lock_says_is_refused() -> None:
    lock = {"packages": {"left": {"integrity": integrity_of(b"as it was"), "files": {}}}}
    assert vendored(lock, {"left": b"as it was"}, pin=False) == {}
    with pytest.raises(Refused, match="the tarball of left"):
        vendored(lock, {"left": b"as it is"}, pin=False)


def test_a_library_imports_others_by_paths(tmp_path: Path) -> None:
    tarball = _tarball(tmp_path, 'import{h}from"preact";export const a="from";\n//# sourceMappingURL=a.map\n')
    assert taken(tarball, "a.mjs", {"preact": "./preact.js"}) == b'import{h}from"./preact.js";export const a="from";\n'
    with pytest.raises(KeyError):
        taken(tarball, "a.mjs", {"other": "./other.js"})


def _tarball(folder: Path, text: str) -> bytes:
    (folder / "a.mjs").write_text(text)
    with tarfile.open(folder / "a.tgz", "w:gz") as archive:
        archive.add(folder / "a.mjs", "package/a.mjs")
    return (folder / "a.tgz").read_bytes()


def test_the_first_view_is_small(files: ConsoleFiles) -> None:
    loaded = files.first_view()
    assert sum(len(file.compressed or file.content) for file in loaded) < FIRST_VIEW
    # What only some pages need is not in it.
    names = files.imported(ENTRY)
    assert "vendor/preact.js" in names
    assert not {"vendor/hls.js", "vendor/media-chrome.js", "vendor/uplot.js"} & set(names)


def test_every_import_leads_to_a_file(files: ConsoleFiles) -> None:
    for path in FOLDER.rglob("*.js"):
        name = path.relative_to(FOLDER).as_posix()
        if not name.startswith("vendor/"):
            files.imported(name)
            for target in re.findall(r'\bimport\("(\.[^"]+)"\)', path.read_text()):
                assert (path.parent / target).resolve().is_file(), f"{name} imports {target}"


def test_nothing_comes_from_elsewhere() -> None:
    for path in (path for path in FOLDER.rglob("*") if path.is_file() and path.parent.name != "vendor"):
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"""(?:src|href|import|url\(|fetch\()\s*=?\s*["'(]*(?:https?:)?//""", text), path
        # What the policy would not let through.
        assert not re.search(r"<script>|\sstyle=\"|\son[a-z]+=\"", text), path


async def test_pages_have_one_strict_policy(client: TestClient[web.Request, web.Application]) -> None:
    assert "unsafe" not in policy_of()
    assert "*" not in policy_of()
    async with client:
        for path in ("/console/", "/console/abc123/jobs?status=error", "/console/abc123/jobs/5KQfnXCg8Qh"):
            answer = await client.get(path)
            assert answer.headers["Content-Security-Policy"] == policy_of()
            assert answer.headers["Cache-Control"] == "private, no-cache"
            assert 'id="app"' in await answer.text()


async def test_the_root_leads_to_the_console(client: TestClient[web.Request, web.Application]) -> None:
    async with client:
        for path in ("/", "/console"):
            answer = await client.get(path, allow_redirects=False)
            assert (answer.status, answer.headers["Location"]) == (302, "/console/")


async def test_files_are_kept_for_ever_and_pages_asked_for_again(
    client: TestClient[web.Request, web.Application], files: ConsoleFiles
) -> None:
    async with client:
        kept = await client.get(f"/console/assets/{files.version}/{ENTRY}")
        assert (kept.status, "immutable" in kept.headers["Cache-Control"]) == (200, True)
        assert kept.content_type == "text/javascript"
        assert kept.headers["Content-Encoding"] == "gzip"
        assert await kept.read() == (FOLDER / ENTRY).read_bytes()
        # A page of an earlier version, whose files are not those any more.
        assert (await client.get(f"/console/assets/0123456789abcdef/{ENTRY}")).headers[
            "Cache-Control"
        ] == "private, no-cache"
        for path in ("/console/", f"/console/assets/{files.version}/{ENTRY}"):
            etag = (await client.get(path)).headers["ETag"]
            again = await client.get(path, headers={"If-None-Match": f'"other", {etag}'})
            assert (again.status, await again.read()) == (304, b"")


async def test_whoever_takes_no_gzip_gets_none(client: TestClient[web.Request, web.Application]) -> None:
    async with client:
        answer = await client.get("/console/", headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in answer.headers
        assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path",
    [
        "../vendor.lock.json",
        "..%2f..%2fpyproject.toml",
        "%2e%2e/%2e%2e/pyproject.toml",
        "/etc/passwd",
        "vendor.lock.json",
        "index.html",
        "vendor",
    ],
)
async def test_nothing_else_is_a_file(
    client: TestClient[web.Request, web.Application], files: ConsoleFiles, path: str
) -> None:
    async with client:
        answer: ClientResponse = await client.get(URL(f"/console/assets/{files.version}/{path}", encoded=True))
        assert answer.status == 404 or 'id="app"' in await answer.text()


def test_all_replicas_compress_alike(files: ConsoleFiles) -> None:
    file = files.get(ENTRY)
    assert file
    assert file.compressed == gzip.compress(file.content, 9, mtime=0)

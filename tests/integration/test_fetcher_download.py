"""Downloading from real HTTP servers with good and bad manners."""

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from services.fetcher.download.chunks import ChunkMap
from services.fetcher.download.download import SOURCE_FILE, STATE_FILE, Download, DownloadLimits, content_of
from services.fetcher.download.http_source import HttpSource, http_session
from services.fetcher.download.patience import PatienceLimits
from services.fetcher.probe.sniff import HEAD_BYTES, sniff
from shared.addresses import AddressPolicy
from shared.errors import Outage, PermanentError, Postponed
from shared.workspace.inheritance import INHERITED_STATE
from tests.support.bus import until
from tests.support.policies import LOOPBACK
from tests.support.sources import SourceServer, source_server

KILOBYTE, MEGABYTE = 1024, 1024**2
CHUNK = 256 * KILOBYTE
LIMITS = DownloadLimits(
    max_bytes=100 * MEGABYTE,
    keep_free=0,
    chunk_bytes=CHUNK,
    connections=4,
    patience=PatienceLimits(total=30, without_progress=2, bytes_per_second=1000),
    checkpoint_seconds=0.05,
)


@pytest.fixture
async def server() -> AsyncIterator[SourceServer]:
    async with source_server() as server:
        yield server


@pytest.fixture(scope="module")
def film() -> bytes:
    """Bytes that begin like an MP4 and never repeat, so that a piece in a wrong place shows."""
    return b"\0\0\0\x20ftypisom" + os.urandom(3 * MEGABYTE + 12345)


class Fetched:
    """What a download of a test told while it ran."""

    def __init__(self) -> None:
        self.head = b""
        self.progress: list[float] = []

    async def run(
        self,
        url: str,
        folder: Path,
        limits: DownloadLimits = LIMITS,
        *,
        policy: AddressPolicy = LOOPBACK,
        free: int = 2**50,
        stall_seconds: float = 20,
        only_tagged: bool = False,
    ) -> bytes:
        """Download, and return the file."""
        async with http_session(policy=policy, stall_seconds=stall_seconds) as session:
            source = HttpSource(session, url)
            download = Download(
                source,
                folder,
                limits,
                free_bytes=lambda: free,
                on_head=self._look,
                on_progress=self._note,
                only_tagged=only_tagged,
            )
            return (await download.run()).read_bytes()

    def _look(self, head: bytes) -> None:
        self.head = head
        sniff(head)

    async def _note(self, fraction: float) -> None:
        self.progress.append(fraction)


async def fetch(url: str, folder: Path, limits: DownloadLimits = LIMITS, **options: Any) -> bytes:
    return await Fetched().run(url, folder, limits, **options)


async def refused(url: str, folder: Path, limits: DownloadLimits = LIMITS, **options: Any) -> PermanentError:
    """The error that a download ends with."""
    with pytest.raises(PermanentError) as caught:
        await fetch(url, folder, limits, **options)
    return caught.value


async def waits(url: str, folder: Path) -> Outage:
    """The outage that a download waits for."""
    with pytest.raises(Outage) as caught:
        await fetch(url, folder)
    return caught.value


async def test_a_file_comes_in_several_ranges_at_a_time(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    url = server.host("film.mp4", film, pause=0.002)
    told = Fetched()
    assert await told.run(url, tmp_path) == film
    asked = server.requests("film.mp4")
    assert asked[0].range == "bytes=0-"
    others = {request.range for request in asked[1:]}
    pieces = [f"bytes={start}-{min(start + CHUNK, len(film)) - 1}" for start in range(0, len(film), CHUNK)]
    assert len(others) == len(asked) - 1 and others <= set(pieces[1:]) and pieces[-1] in others
    assert 2 <= server.most_at_once <= LIMITS.connections
    # The first answer is given up where the others have begun; a little more of it was on its way.
    assert server.sent("film.mp4") < 2 * len(film)
    assert told.head == film[: len(told.head)] and len(told.head) == HEAD_BYTES
    assert told.progress == sorted(told.progress) and told.progress[-1] == 1


def inherit(folder: Path, **marks: str | None) -> None:
    """Make what a download has left in a folder that of another job, of which the server said this."""
    state = json.loads((folder / STATE_FILE).read_text())
    state["version"] |= marks
    (folder / STATE_FILE).unlink()
    (folder / INHERITED_STATE).write_text(json.dumps(state))


async def test_what_another_job_has_downloaded_costs_one_byte(
    server: SourceServer, film: bytes, tmp_path: Path
) -> None:
    url = server.host("film.mp4", film)
    await fetch(url, tmp_path)
    inherit(tmp_path)
    asked = len(server.requests("film.mp4"))
    for _ in range(2):
        assert await fetch(url, tmp_path, only_tagged=True) == film
    assert [request.range for request in server.requests("film.mp4")[asked:]] == ["bytes=0-0"], "once it is its own"
    assert content_of(tmp_path, url) and content_of(tmp_path, f"{url}?id=<id>")


async def test_what_another_job_has_begun_goes_on(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    async def some_is_here() -> bool:
        return (tmp_path / STATE_FILE).exists() and "01" in (tmp_path / STATE_FILE).read_text().partition('"here"')[2]

    begun = asyncio.create_task(fetch(server.host("film.mp4", film, pause=0.01), tmp_path))
    await until(some_is_here)
    begun.cancel()
    await asyncio.gather(begun, return_exceptions=True)
    inherit(tmp_path)
    left = ChunkMap.load(tmp_path / INHERITED_STATE)
    assert left and left.bytes_here
    missing = {f"bytes={start}-{end - 1}" for start, end in map(left.span, left.missing())}
    before = len(server.requests("film.mp4"))
    assert await fetch(server.host("film.mp4", film), tmp_path) == film
    assert {request.range for request in server.requests("film.mp4")[before:]} <= missing


@pytest.mark.parametrize(
    ("marks", "only_tagged"),
    [
        ({"etag": '"other"', "modified": "Thu, 02 May 2024 12:00:00 GMT"}, False),
        # The same date and size are enough, unless the address may have been that of another file.
        ({"etag": '"other"'}, True),
        ({"etag": None}, True),
        ({"etag": None, "modified": None}, False),
    ],
)
async def test_what_may_be_of_another_content_is_begun_anew(
    server: SourceServer, film: bytes, tmp_path: Path, marks: dict[str, str | None], only_tagged: bool
) -> None:
    url = server.host("film.mp4", film)
    await fetch(url, tmp_path)
    inherit(tmp_path, **marks)
    (tmp_path / SOURCE_FILE).write_bytes(bytes(len(film)))
    assert await fetch(url, tmp_path, only_tagged=only_tagged) == film
    assert not (tmp_path / INHERITED_STATE).exists()


async def test_content_that_nobody_tells_from_other_content(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    url = server.host("film.mp4", film)
    assert content_of(tmp_path, url) == ""
    await fetch(url, tmp_path)
    state = json.loads((tmp_path / STATE_FILE).read_text())
    for marks, masked in (({"etag": None, "modified": None}, ""), ({"etag": None}, "?id=<id>")):
        (tmp_path / STATE_FILE).write_text(json.dumps(state | {"version": state["version"] | marks}))
        assert content_of(tmp_path, url + masked) == ""


async def test_a_small_file_costs_one_request(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    assert await fetch(server.host("film.mp4", film[:1000]), tmp_path) == film[:1000]
    assert len(server.requests("film.mp4")) == 1


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
async def test_every_size_around_the_pieces(server: SourceServer, film: bytes, tmp_path: Path, size: int) -> None:
    async with http_session(policy=LOOPBACK, stall_seconds=1) as session:
        source = HttpSource(session, server.host("film.mp4", film[:size]))

        async def ignore(_fraction: float) -> None:
            return

        download = Download(
            source, tmp_path, LIMITS, free_bytes=lambda: 2**40, on_head=lambda _: None, on_progress=ignore
        )
        assert (await download.run()).read_bytes() == film[:size]


@pytest.mark.parametrize("told_length", [True, False])
async def test_a_server_without_ranges_costs_one_request(
    server: SourceServer, film: bytes, tmp_path: Path, told_length: bool
) -> None:
    url = server.host("film.mp4", film, ranges=False, told_length=told_length)
    told = Fetched()
    assert await told.run(url, tmp_path) == film
    assert len(server.requests("film.mp4")) == 1
    assert told.head == film[: len(told.head)]


async def test_ranges_that_hide_the_size_are_not_used(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    assert await fetch(server.host("film.mp4", film, hides_size=True), tmp_path) == film
    assert [request.range is None for request in server.requests("film.mp4")] == [False, True]


async def test_connections_that_break_off_are_resumed_where_they_were(
    server: SourceServer, film: bytes, tmp_path: Path
) -> None:
    url = server.host("film.mp4", film, cut_after=100_000)
    assert await fetch(url, tmp_path) == film
    # At most the bytes that were on the way when a connection broke off come twice.
    assert server.sent("film.mp4") < 1.7 * len(film)


async def test_without_ranges_a_broken_connection_begins_anew_and_not_forever(
    server: SourceServer, film: bytes, tmp_path: Path
) -> None:
    url = server.host("film.mp4", film, ranges=False, cut_after=500_000)
    assert (await refused(url, tmp_path)).code == "input_unreachable"
    assert len(server.requests("film.mp4")) == 3


async def test_a_server_that_allows_two_connections_is_served_with_two(
    server: SourceServer, film: bytes, tmp_path: Path
) -> None:
    assert await fetch(server.host("film.mp4", film, at_most=2, pause=0.001), tmp_path) == film


async def test_a_server_that_is_busy_is_asked_again(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    url = server.host("film.mp4", film, failures=[503, 429], headers={"Retry-After": "0"})
    assert await fetch(url, tmp_path) == film


async def test_a_server_that_stays_busy_is_waited_for_without_a_slot(
    server: SourceServer, film: bytes, tmp_path: Path
) -> None:
    began = time.monotonic()
    error = await waits(server.host("film.mp4", film, always=503), tmp_path)
    assert error.code == "input_unreachable" and "503" in error.detail
    assert time.monotonic() - began < 2 * LIMITS.patience.without_progress


async def interrupted(url: str, folder: Path, bytes_there: int) -> None:
    """Begin a download and stop it in the middle, as a SIGKILL does but for the last moment."""
    running = asyncio.create_task(fetch(url, folder))

    async def enough() -> bool:
        state = folder / STATE_FILE
        return state.exists() and json.loads(state.read_text())["here"].count("01") * CHUNK >= bytes_there

    await until(enough)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()


async def test_a_stopped_download_fetches_only_what_is_missing(
    server: SourceServer, film: bytes, tmp_path: Path
) -> None:
    url = server.host("film.mp4", film, pause=0.01)
    await interrupted(url, tmp_path, MEGABYTE)
    before = len(server.requests("film.mp4"))
    url = server.host("film.mp4", film)
    assert await fetch(url, tmp_path) == film
    # What was asked for, and not what was sent: the server may be at the answers to the stopped one still.
    asked = [
        re.fullmatch(r"bytes=(\d+)-(\d+)", request.range or "") for request in server.requests("film.mp4")[before:]
    ]
    assert sum(int(span[2]) + 1 - int(span[1]) if span else len(film) for span in asked) <= len(film) - MEGABYTE


async def test_a_whole_file_is_not_asked_for_again(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    url = server.host("film.mp4", film)
    await fetch(url, tmp_path)
    asked = len(server.requests("film.mp4"))
    assert await fetch(url, tmp_path) == film
    assert len(server.requests("film.mp4")) == asked


@pytest.mark.parametrize("mark", ["date", "nothing"])
async def test_another_file_at_the_same_address_is_fetched_from_the_beginning(
    server: SourceServer, film: bytes, tmp_path: Path, mark: str
) -> None:
    """Also where the server gives nothing to tell versions by: then a rest of an earlier process is not trusted."""
    other = film[:12] + os.urandom(len(film) - 12)
    manners: dict[str, Any] = {"modified": None, "etags": lambda: ""} if mark == "nothing" else {}
    await interrupted(server.host("film.mp4", film, pause=0.01, **manners), tmp_path, MEGABYTE)
    if mark == "date":
        manners = {"modified": "Thu, 02 May 2024 12:00:00 GMT"}
    assert await fetch(server.host("film.mp4", other, **manners), tmp_path) == other


async def test_a_file_that_changes_all_the_time_is_an_error(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    numbers = count()
    url = server.host("film.mp4", film, etags=lambda: f'"{next(numbers)}"', modified=None, cut_after=CHUNK)
    assert (await refused(url, tmp_path)).code == "input_changed"


async def test_a_farm_of_servers_with_different_tags_for_one_file_is_no_change(
    server: SourceServer, film: bytes, tmp_path: Path
) -> None:
    numbers = count()
    assert await fetch(server.host("film.mp4", film, etags=lambda: f'"{next(numbers)}"'), tmp_path) == film


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_definite_no_is_not_asked_again(server: SourceServer, film: bytes, tmp_path: Path, status: int) -> None:
    error = await refused(server.host("film.mp4", film, always=status), tmp_path)
    assert error.code == "input_unreachable" and str(status) in error.detail
    assert error.message == "The specified input URL does not exist or cannot be accessed"
    assert len(server.requests("film.mp4")) == 1


async def test_an_address_that_leads_nowhere_fails_within_seconds(server: SourceServer, tmp_path: Path) -> None:
    began = time.monotonic()
    assert (await refused("http://no-such-host.invalid/film.mp4", tmp_path)).code == "input_unreachable"
    no_tls = server.host("film.mp4", b"").replace("http:", "https:")
    assert (await refused(no_tls, tmp_path)).code == "input_unreachable"
    assert time.monotonic() - began < 10


async def test_a_host_that_takes_no_connection_gives_the_slot_back_within_seconds(tmp_path: Path) -> None:
    began = time.monotonic()
    assert (await waits("http://127.0.0.1:9/film.mp4", tmp_path)).code == "input_unreachable"
    assert time.monotonic() - began < 10


NOT_VIDEO = {
    "page.html": b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>",
    "paper.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "list.m3u8": b"#EXTM3U\n#EXTINF:6,\nhttp://127.0.0.1/secret\n",
    "script.mp4": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "photo.jpg": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
}


@pytest.mark.parametrize("name", NOT_VIDEO)
async def test_what_is_no_video_is_refused_by_its_first_bytes(server: SourceServer, tmp_path: Path, name: str) -> None:
    padding = b" " if NOT_VIDEO[name][:1] in b"<#f" else b"\0"
    url = server.host(name, NOT_VIDEO[name] + padding * 5 * MEGABYTE, pause=0.01, ranges=False)
    began = time.monotonic()
    assert (await refused(url, tmp_path)).code == "input_not_video"
    assert time.monotonic() - began < 2
    assert server.sent(name) < 2 * MEGABYTE


@pytest.mark.parametrize("ranges", [True, False])
async def test_an_empty_file(server: SourceServer, tmp_path: Path, ranges: bool) -> None:
    assert (await refused(server.host("film.mp4", b"", ranges=ranges), tmp_path)).code == "input_empty"


@pytest.mark.parametrize("told_length", [True, False])
async def test_a_file_that_is_too_large_is_refused_before_it_is_here(
    server: SourceServer, film: bytes, tmp_path: Path, told_length: bool
) -> None:
    url = server.host("film.mp4", film, ranges=False, told_length=told_length)
    error = await refused(url, tmp_path, replace(LIMITS, max_bytes=MEGABYTE))
    assert error.code == "input_too_large"
    assert not (tmp_path / SOURCE_FILE).exists() or (tmp_path / SOURCE_FILE).stat().st_size < 3 * MEGABYTE


async def test_a_full_work_space_delays_the_job(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    with pytest.raises(Postponed) as caught:
        await fetch(server.host("film.mp4", film), tmp_path, free=MEGABYTE)
    assert caught.value.code == "workspace_full"


async def test_a_server_that_stalls_is_given_up(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    error = await refused(server.host("film.mp4", film, stall_after=CHUNK, ranges=False), tmp_path, stall_seconds=0.7)
    assert error.code == "input_timeout"


async def test_a_connection_that_stalls_is_opened_again(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    # Each answer stops in the middle of its range, but always a little further on.
    assert (
        await fetch(server.host("film.mp4", film[:MEGABYTE], stall_after=200_000), tmp_path, stall_seconds=0.7)
        == film[:MEGABYTE]
    )


async def test_a_trickle_is_given_up(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    limits = replace(LIMITS, patience=PatienceLimits(total=30, without_progress=1, bytes_per_second=MEGABYTE))
    error = await refused(server.host("film.mp4", film, pause=0.1, ranges=False), tmp_path, limits)
    assert error.code == "input_timeout" and "bytes a second" in error.detail


async def test_a_download_may_take_only_so_long(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    limits = replace(LIMITS, patience=PatienceLimits(total=1, without_progress=10, bytes_per_second=0))
    error = await refused(server.host("film.mp4", film, pause=0.1, ranges=False), tmp_path, limits)
    assert error.code == "input_timeout"


async def test_compressed_content_is_refused(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    error = await refused(server.host("film.mp4", film, headers={"Content-Encoding": "gzip"}), tmp_path)
    assert error.code == "input_unreachable" and "gzip" in error.detail
    assert server.requests("film.mp4")[0].headers["Accept-Encoding"] == "identity"


async def test_user_and_password_go_to_their_own_host_only(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    server.host("film.mp4", film[:1000])
    other = server.url("film.mp4", host="localhost")
    server.host("moved.mp4", redirect=other)
    with_login = server.url("moved.mp4").replace("//", "//ada:s%20ecret@")
    assert await fetch(with_login, tmp_path) == film[:1000]
    assert server.requests("moved.mp4")[0].headers["Authorization"] == "Basic YWRhOnMgZWNyZXQ="
    assert "Authorization" not in server.requests("film.mp4")[0].headers


async def test_redirects_are_followed_once_and_remembered(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    server.host("film.mp4", film)
    assert await fetch(server.host("link", redirect="/film.mp4"), tmp_path) == film
    assert len(server.requests("link")) == 1


async def test_redirects_without_end(server: SourceServer, tmp_path: Path) -> None:
    error = await refused(server.host("link", redirect="/link"), tmp_path)
    assert error.code == "input_unreachable" and "redirects" in error.detail
    assert len(server.requests("link")) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.com/film.mp4", "", "gopher://x"])
async def test_redirects_to_something_else_than_http(server: SourceServer, tmp_path: Path, target: str) -> None:
    assert (await refused(server.host("link", redirect=target), tmp_path)).code == "input_unreachable"


async def test_details_never_hold_the_address(server: SourceServer, tmp_path: Path) -> None:
    url = server.host("link", redirect="http://127.0.0.1:9/x?token=topsecret") + "?signature=hidden"
    detail = (await waits(url, tmp_path)).detail
    assert "topsecret" not in detail and "hidden" not in detail

"""Links as people write them and as servers make them: they work once, want a cookie, serve one at a time, are very long."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_fetcher_download import CHUNK, LIMITS, fetch, refused
from tests.support.sources import SourceServer, source_server


@pytest.fixture
async def server() -> AsyncIterator[SourceServer]:
    async with source_server() as server:
        yield server


@pytest.fixture(scope="module")
def film() -> bytes:
    """Bytes that begin like an MP4, and no two pieces alike."""
    return b"\0\0\0\x20ftypisom" + b"".join(number.to_bytes(4, "big") for number in range(6 * CHUNK // 4))


@pytest.mark.parametrize("size", [1000, CHUNK, CHUNK + 1, 2 * CHUNK, 6 * CHUNK + 12])
@pytest.mark.parametrize(
    "manners",
    [
        {"then": 404},
        {"then": 403},
        {"then": 429},
        {"page": b"<!DOCTYPE html><p>This link has been used."},
        {"pause": 0.002},
        {"then": 410, "ranges": False},
        {"then": 410, "ranges": False, "told_length": False},
    ],
)
async def test_a_link_that_works_once(
    server: SourceServer, film: bytes, tmp_path: Path, manners: dict[str, Any], size: int
) -> None:
    url = server.host("film.mp4", film[:size], answers=1, **manners)
    assert await fetch(url, tmp_path) == film[:size]


async def test_a_link_that_works_a_few_times(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    assert await fetch(server.host("film.mp4", film, answers=3, pause=0.002), tmp_path) == film


async def test_a_link_that_works_once_leads_elsewhere(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    server.host("film.mp4", film, answers=1)
    assert await fetch(server.host("link", redirect="/film.mp4", answers=1), tmp_path) == film


async def test_ranges_that_are_given_out_once_are_done_without(
    server: SourceServer, film: bytes, tmp_path: Path
) -> None:
    """The first answer ends early, as a server may have it; the next ones are refused, unless they ask for all."""
    url = server.host("film.mp4", film, most=CHUNK, most_ranges=1)
    assert await fetch(url, tmp_path) == film
    assert server.requests("film.mp4")[-1].range is None


async def test_a_link_that_breaks_off_and_is_gone_is_told(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    error = await refused(server.host("film.mp4", film, answers=1, cut_after=2 * CHUNK), tmp_path)
    assert error.code == "input_unreachable" and "404" in error.detail
    assert len(server.requests("film.mp4")) <= LIMITS.connections + 3


async def test_answers_that_end_early_are_asked_for_again(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    assert await fetch(server.host("film.mp4", film, most=CHUNK // 2), tmp_path) == film


async def test_a_server_that_serves_one_at_a_time(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    async with asyncio.timeout(10):
        assert await fetch(server.host("film.mp4", film, one_at_a_time=True), tmp_path) == film


async def test_a_cookie_is_given_back_for_the_time_of_the_download(
    server: SourceServer, film: bytes, tmp_path: Path
) -> None:
    url = server.host("film.mp4", film, cookie="exp=1~acl=/*~hmac=ab==")
    assert await fetch(url, tmp_path) == film
    asked = [request.headers.get("Cookie") for request in server.requests("film.mp4")]
    assert asked.count(None) == 1
    (tmp_path / "again").mkdir()
    await fetch(url, tmp_path / "again")
    assert [request.headers.get("Cookie") for request in server.requests("film.mp4")].count(None) == 2


async def test_a_cookie_is_for_its_own_host_only(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    server.host("film.mp4", film)
    elsewhere = server.url("film.mp4", host="localhost")
    assert await fetch(server.host("link", cookie="a", redirect=elsewhere), tmp_path) == film
    assert [request.headers.get("Cookie") for request in server.requests("link")] == [None, "session=a"]
    assert {request.headers.get("Cookie") for request in server.requests("film.mp4")} == {None}


async def test_signed_addresses_may_be_long(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    url = server.host("film.mp4", film) + "?X-Amz-Security-Token="
    url += "x" * (8192 - len(url))
    assert await fetch(url, tmp_path) == film
    server.host("link", redirect=url)
    (tmp_path / "again").mkdir()
    assert await fetch(server.url("link"), tmp_path / "again") == film


async def test_a_signed_address_is_sent_as_it_was_given(server: SourceServer, film: bytes, tmp_path: Path) -> None:
    signed = server.host("film.mp4", film[:1000]) + "?X-Amz-Signature=ab%2Fcd%3D&response=a+b%20c~d"
    assert await fetch(signed, tmp_path) == film[:1000]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("my film.mp4", "my film.mp4"),
        ("my%20film.mp4", "my film.mp4"),
        ("fähre|[1].mp4", "fähre|[1].mp4"),
        ("f%C3%A4hre%2F2.mp4", "fähre/2.mp4"),
        ("a+b.mp4#part", "a+b.mp4"),
        ("100%.mp4", "100%.mp4"),
        ("x\\y.mp4", "x\\y.mp4"),
    ],
)
async def test_addresses_as_people_write_them(
    server: SourceServer, film: bytes, tmp_path: Path, written: str, name: str
) -> None:
    server.host(name, film[:1000])
    assert await fetch(server.url(written), tmp_path) == film[:1000]


@pytest.mark.parametrize("address", ["http://[::1/film.mp4", "http://127.0.0.1:99999/film.mp4", "http://"])
async def test_addresses_that_are_none(tmp_path: Path, address: str) -> None:
    assert (await refused(address, tmp_path)).code == "input_unreachable"

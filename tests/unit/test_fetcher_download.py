"""What a download keeps for a restart, and how much it bears."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from services.fetcher.download.chunks import ChunkMap
from services.fetcher.download.landing import landing_file
from services.fetcher.download.patience import Patience, PatienceLimits
from services.fetcher.download.remote import Trouble, TroubleKind, Version
from shared.errors import MillraceError, Outage, PermanentError

TAGGED = Version(1000, '"a"', "Wed, 01 May 2024 12:00:00 GMT")


def test_pieces_of_a_file() -> None:
    chunks = ChunkMap(TAGGED, 300)
    assert len(chunks) == 4
    assert [chunks.span(number) for number in range(4)] == [(0, 300), (300, 600), (600, 900), (900, 1000)]
    chunks.mark(3)
    assert (list(chunks.missing()), chunks.bytes_here, chunks.whole) == ([0, 1, 2], 100, False)
    for number in range(3):
        chunks.mark(number)
    assert chunks.whole and chunks.bytes_here == 1000


def test_the_note_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    chunks = ChunkMap(TAGGED, 300)
    chunks.mark(2)
    chunks.save(path)
    found = ChunkMap.load(path)
    assert found and found.version == TAGGED and list(found.missing()) == [0, 1, 3]
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"version": {"size": 9}, "chunk_bytes": 3, "here": "01"}', "nonsense"]
)
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    assert ChunkMap.load(tmp_path / "state.json") is None
    assert ChunkMap.load(tmp_path / "missing.json") is None


def test_versions() -> None:
    assert TAGGED.same_as(TAGGED)
    assert not TAGGED.same_as(replace(TAGGED, size=1001))
    assert TAGGED.same_as(replace(TAGGED, etag='"b"')), "a farm of servers"
    assert not TAGGED.same_as(replace(TAGGED, etag='"b"', modified="Thu, 02 May 2024 12:00:00 GMT"))
    assert not Version(1, '"a"').same_as(Version(1, '"b"'))
    assert not Version(1, '"a"').same_as(Version(1))
    assert Version(1).same_as(Version(1)) and not Version(1).is_marked


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patience(clock: Clock) -> Patience:
    return Patience(PatienceLimits(total=3600, without_progress=60, bytes_per_second=1000), clock)


def borne(
    patience: Patience, clock: Clock, kind: TroubleKind, kind_of_end: type[MillraceError] = Outage
) -> tuple[float, str]:
    """Fail until this attempt is given up; seconds that took, and the code."""
    began = clock.now
    while True:
        try:
            clock.now += patience.after(Trouble(kind, "why")) + 0.01
        except kind_of_end as error:
            return clock.now - began, error.code


def test_a_definite_no_is_final(patience: Patience, clock: Clock) -> None:
    assert borne(patience, clock, "refused", PermanentError) == (0, "input_unreachable")


def test_an_address_that_leads_nowhere_is_given_up_soon(patience: Patience, clock: Clock) -> None:
    seconds, code = borne(patience, clock, "misaddressed", PermanentError)
    assert seconds < 5 and code == "input_unreachable"


@pytest.mark.parametrize("received", [0, 1_000_000])
@pytest.mark.parametrize(
    ("kind", "code", "most"),
    [
        ("unconnected", "input_unreachable", 5),
        ("busy", "input_unreachable", 15),
        ("broken", "input_unreachable", 15),
        ("stalled", "input_timeout", 60),
    ],
)
def test_an_outage_is_waited_for_without_a_slot(
    patience: Patience, clock: Clock, kind: TroubleKind, code: str, most: float, received: int
) -> None:
    patience.received(received)
    seconds, found = borne(patience, clock, kind)
    assert 0.5 < seconds <= most and found == code
    with pytest.raises(Outage) as caught:
        patience.after(Trouble(kind, "why"))
    assert (f"after {received} bytes" in caught.value.detail) == bool(received)


def test_a_name_that_was_there_before_is_out_of_order(patience: Patience, clock: Clock) -> None:
    patience.received(1)
    assert borne(patience, clock, "misaddressed")[1] == "input_unreachable"


@pytest.mark.parametrize(("kind", "longest"), [("unconnected", 30), ("busy", None), ("stalled", None)])
def test_where_nobody_has_ever_listened_is_given_up_sooner(
    clock: Clock, kind: TroubleKind, longest: float | None
) -> None:
    limits = PatienceLimits(total=3600, without_progress=60, bytes_per_second=1000, first_contact=30)
    for known, expected in ((False, longest), (True, None)):
        patience = Patience(limits, clock, known=known)
        with pytest.raises(Outage) as caught:
            while True:
                clock.now += patience.after(Trouble(kind, "why")) + 0.01
        assert caught.value.longest == expected


def test_progress_makes_patient_again(patience: Patience, clock: Clock) -> None:
    for _ in range(100):
        clock.now += patience.after(Trouble("broken", "why")) + 1
        patience.received(100_000)


def test_retry_after_is_honoured_within_reason(patience: Patience) -> None:
    assert patience.after(Trouble("busy", "why", retry_after=7)) == 7
    with pytest.raises(Outage) as caught:
        patience.after(Trouble("busy", "why", retry_after=3600))
    assert caught.value.retry_after == 3600


def test_slowness_and_length(clock: Clock, patience: Patience) -> None:
    for _ in range(120):
        clock.now += 1
        patience.received(1100)
    with pytest.raises(PermanentError, match="bytes a second"):
        for _ in range(120):
            clock.now += 1
            patience.received(500)
    fast = Patience(PatienceLimits(total=10, without_progress=60, bytes_per_second=0), clock)
    clock.now += 11
    with pytest.raises(PermanentError, match="not finished"):
        fast.received(1)


async def test_a_write_that_outlives_its_download_hits_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelling does not stop the thread that writes, and the next file to be opened gets the descriptor's number."""
    entered, gate, real = threading.Event(), threading.Event(), os.pwritev

    def slow(descriptor: int, data: Sequence[memoryview], offset: int) -> int:
        entered.set()
        gate.wait(5)
        return real(descriptor, data, offset)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * 1000

    async def ignore(_count: int) -> None:
        return

    monkeypatch.setattr("services.fetcher.download.landing.os.pwritev", slow)
    async with landing_file(tmp_path / "one", 2000, lambda _: None) as file:
        writing = asyncio.create_task(file.write(0, pieces(), ignore))
        assert await asyncio.to_thread(entered.wait, 5)
        writing.cancel()
        await asyncio.wait({writing})
        threading.Timer(0.1, gate.set).start()
    other = os.open(tmp_path / "two", os.O_RDWR | os.O_CREAT)
    os.write(other, b"mine")
    os.close(other)
    assert (tmp_path / "two").read_bytes() == b"mine"
    assert (tmp_path / "one").read_bytes() == b"x" * 1000 + b"\0" * 1000


@pytest.mark.parametrize("most", [1, 1000, 5000, 2**20])
async def test_pieces_of_all_sizes_are_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """However many there are, and however few bytes the kernel takes at once."""
    sizes = [1000, 1, 4096, *([3] * 2000), 30_000 if most > 1 else 3]
    wanted, real = [bytes([number % 251]) * size for number, size in enumerate(sizes)], os.pwritev

    def greedy(descriptor: int, data: Sequence[memoryview], offset: int) -> int:
        return real(descriptor, [b"".join(data)[:most]], offset)

    async def pieces() -> AsyncIterator[bytes]:
        for piece in wanted:
            yield piece

    landed: list[int] = []

    async def note(count: int) -> None:
        landed.append(count)

    monkeypatch.setattr("services.fetcher.download.landing.os.pwritev", greedy)
    async with landing_file(tmp_path / "one", None, lambda _: None) as file:
        await file.write(10, pieces(), note)
    assert (tmp_path / "one").read_bytes() == b"\0" * 10 + b"".join(wanted)
    assert sum(landed) == sum(sizes)

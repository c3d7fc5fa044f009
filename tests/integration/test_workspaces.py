"""One suite for both work spaces: the shared folder, and S3 on a real server."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.errors import Outage, Postponed
from shared.locations import parse_s3
from shared.media.result import digest_of
from shared.workspace.objects import Objects
from shared.workspace.s3_space import S3Space
from shared.workspace.scratch import Scratch
from shared.workspace.shared_folder import SharedFolder
from shared.workspace.space import MadePart, SourceInput, SourceRead, WorkSpace
from tests.support.ports import free_port
from tests.support.s3 import S3Server, s3_server
from tests.support.walk import below

ORG, JOB, PART = "org001", "5KQfnXCg8Qh", "v0001"
BUCKET = "workspace"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        server.new_bucket(BUCKET)
        yield server


class Place:
    """A work space as several hosts see it."""

    def __init__(self, kind: str, s3: S3Server, root: Path) -> None:
        self.root = root
        self._url = s3.address(BUCKET, f"work/{secrets.token_hex(4)}/") if kind == "s3" else (root / "space").as_uri()
        self._opened: list[WorkSpace] = []

    def host(self, name: str = "one", *, scratch_bytes: int = 2**30) -> WorkSpace:
        """The work space on a host of this name."""
        if self._url.startswith("file:"):
            return SharedFolder(self._url)
        scratch = Scratch(self.scratch(name), scratch_bytes)
        self._opened.append(S3Space(Objects(parse_s3(self._url, is_prefix=True)), scratch))
        return self._opened[-1]

    def scratch(self, name: str = "one") -> Path:
        return self.root / f"scratch-{name}"

    def files(self) -> list[str]:
        """Everything that lies on the disks of all hosts."""
        return sorted(str(path.relative_to(self.root)) for path in below(self.root) if path.is_file())

    async def close(self) -> None:
        for space in self._opened:
            await space.close()


@pytest.fixture(params=["folder", "s3"])
async def place(request: pytest.FixtureRequest, s3: S3Server, tmp_path: Path) -> AsyncIterator[Place]:
    made = Place(request.param, s3, tmp_path)
    yield made
    await made.close()


async def make(space: WorkSpace, text: str, part: str = PART) -> str:
    async with space.attempt(ORG, JOB, part) as folder:
        (folder / "144p").mkdir()
        (folder / "144p/segment").write_text(text)
        return await space.finish(folder, ORG, JOB, part, json.dumps({"made": text}))


def made(record: str, part: str = PART) -> MadePart:
    return MadePart(ORG, JOB, part, digest_of(record))


async def keep(space: WorkSpace, body: bytes) -> SourceRead:
    async with space.arrival(ORG, JOB) as folder:
        (folder / "source.bin").write_bytes(body)
        await space.keep_source(ORG, JOB, folder / "source.bin")
    return SourceRead("source.bin", len(body))


async def test_a_source_that_one_host_keeps_is_read_by_another(place: Place) -> None:
    body = bytes(range(256)) * 256
    read = await keep(place.host("one"), body)
    async with place.host("two").source(ORG, JOB, read) as opened:
        assert opened.whole
        assert Path(opened.address).read_bytes() == body


async def test_a_download_that_broke_off_is_gone_on_with(place: Place) -> None:
    space = place.host()
    with pytest.raises(RuntimeError):
        async with space.arrival(ORG, JOB) as folder:
            (folder / "source.bin").write_bytes(b"half")
            raise RuntimeError
    async with space.arrival(ORG, JOB) as folder:
        assert (folder / "source.bin").read_bytes() == b"half"


async def test_a_part_is_there_when_it_is_finished_and_not_before(place: Place) -> None:
    one, two = place.host("one"), place.host("two")
    async with one.attempt(ORG, JOB, PART) as folder:
        (folder / "segment").write_text("x")
        assert await two.finished(ORG, JOB, PART) is None
        record = await one.finish(folder, ORG, JOB, PART, "{}")
    assert await two.finished(ORG, JOB, PART) == record == "{}"
    assert await two.record(made(record)) == record
    assert await two.read(made(record), "segment") == b"x"


async def test_of_two_results_the_first_one_counts(place: Place) -> None:
    first, second = await make(place.host("one"), "first"), await make(place.host("two"), "second")
    assert first == second
    assert await place.host("three").read(made(first), "144p/segment") == b"first"


async def test_of_two_workers_at_one_part_both_end_and_one_result_is_whole(place: Place) -> None:
    one, two = place.host("one"), place.host("two")
    records = await asyncio.gather(make(one, "a"), make(two, "b"))
    counts = await one.finished(ORG, JOB, PART)
    assert counts in records
    for record in set(records):
        # Whichever of them is told of in the log: what it speaks of is there.
        assert await two.record(made(record)) == record
        assert await two.read(made(record), "144p/segment") == json.loads(record)["made"].encode()


async def test_a_failed_attempt_leaves_nothing(place: Place) -> None:
    with pytest.raises(RuntimeError):
        async with place.host().attempt(ORG, JOB, PART) as folder:
            (folder / "segment").write_text("x")
            raise RuntimeError
    assert place.files() == []
    assert await place.host().finished(ORG, JOB, PART) is None


async def test_a_part_that_is_emptied_keeps_its_record_alone(place: Place) -> None:
    space = place.host()
    record = await make(space, "x")
    for _ in range(2):
        await space.empty_part(ORG, JOB, PART)
    assert await space.record(made(record)) == record
    with pytest.raises(FileNotFoundError):
        await space.read(made(record), "144p/segment")


async def test_what_is_noted_down_as_uploaded_is_found_by_others(place: Place) -> None:
    one, two = place.host("one"), place.host("two")
    record = await make(one, "x")
    paths = {f"144p/{number}.m4s" for number in range(64)}
    assert await one.uploaded(made(record)) == frozenset()
    for path in paths:
        await one.note_uploaded(made(record), path)
    assert await one.uploaded(made(record)) == paths
    assert await two.uploaded(made(record)) == paths


async def test_tiles_outlive_their_parts(place: Place) -> None:
    space = place.host()
    await make(space, "x")
    for _ in range(2):
        await space.keep_tiles(ORG, JOB, {7: b"\0seven", 8: b"eight"})
    await space.keep_tiles(ORG, JOB, {9: b"nine"})
    await space.keep_tiles(ORG, JOB, {})
    await space.empty_part(ORG, JOB, PART)
    assert await space.tiles(ORG, JOB, range(6, 9)) == {7: b"\0seven", 8: b"eight"}


async def test_a_removed_job_is_gone_and_others_stay(place: Place) -> None:
    space = place.host()
    await keep(space, b"film")
    record = await make(space, "x")
    await space.keep_tiles(ORG, JOB, {1: b"tile"})
    async with space.attempt(ORG, "5KQfnXCg8Qj", PART) as folder:
        await space.finish(folder, ORG, "5KQfnXCg8Qj", PART, "{}")
    assert await space.jobs() == [(ORG, JOB), (ORG, "5KQfnXCg8Qj")]
    for _ in range(2):
        await space.remove_job(ORG, JOB)
    assert await space.jobs() == [(ORG, "5KQfnXCg8Qj")]
    assert await space.record(made(record)) is None
    await space.remove_job(ORG, "5KQfnXCg8Qj")
    await space.remove_leftovers()
    assert await space.jobs() == []
    await space.sweep_scratch(over)
    assert place.files() == []


async def over(_org: str, _job: str) -> bool:
    return True


async def running(_org: str, _job: str) -> bool:
    return False


async def test_the_check_leaves_nothing(place: Place) -> None:
    await place.host().check()
    assert place.files() == []
    assert await asyncio.to_thread(place.host().free_bytes) > 0
    assert await asyncio.to_thread(place.host().capacity_bytes) > 0


class Bucket(Place):
    """A work space in S3, seen from one host."""

    def __init__(self, s3: S3Server, root: Path) -> None:
        super().__init__("s3", s3, root)


@pytest.fixture
async def bucket(s3: S3Server, tmp_path: Path) -> AsyncIterator[Bucket]:
    made = Bucket(s3, tmp_path)
    yield made
    await made.close()


async def test_only_the_spans_that_are_read_come_to_a_host(bucket: Bucket) -> None:
    body = bytes(number % 251 for number in range(1_000_000))
    await keep(bucket.host("fetcher"), body)
    space = bucket.host("one")
    read = SourceRead("source.bin", len(body), ((400_000, 500_000),), ((0, 1000), (999_000, 1_000_000)))
    async with space.source(ORG, JOB, read) as opened:
        assert not opened.whole
        here = {path: path.stat().st_size for path in below(bucket.scratch()) if path.is_file()}
        assert sorted(size for path, size in here.items() if path.name != "pieces") == [1000, 1000, 100_000]
        found = await asyncio.to_thread(played, opened, body)
        assert found == [(0, 1000), (400_000, 500_000), (999_000, 1_000_000)]
    left = sorted(path.name for path in below(bucket.scratch()) if path.is_file())
    assert left == ["source.bin.0-1000", "source.bin.999000-1000000"], "what other parts read as well stays for them"
    async with space.source(ORG, JOB, read.all_of_it) as opened:
        assert opened.whole
        assert Path(opened.address).read_bytes() == body
    async with space.source(ORG, JOB, read) as opened:
        assert opened.whole, "who has all of it needs no pieces"


def played(opened: SourceInput, body: bytes) -> list[tuple[int, int]]:
    """The spans that ffmpeg gets to read of an input, each of which is as in ``body``."""
    spans, here = [], 0
    for line in Path(opened.address.removeprefix("concatf:")).read_text().splitlines():
        if line.startswith("file:"):
            piece = Path(line.removeprefix("file:")).read_bytes()
            assert piece == body[here : here + len(piece)]
            spans.append((here, here + len(piece)))
            here += len(piece)
        else:
            here += int(line.split(",")[5])
    assert here == len(body)
    return spans


async def test_a_removed_source_is_no_source(bucket: Bucket) -> None:
    space = bucket.host()
    read = await keep(space, b"film")
    await space.remove_job(ORG, JOB)
    with pytest.raises(FileNotFoundError):
        async with space.source(ORG, JOB, read):
            pass


async def test_a_scratch_folder_has_a_bound_and_gives_up_what_was_not_used_for_longest(bucket: Bucket) -> None:
    space, films = bucket.host(scratch_bytes=2_500_000), ["5KQfnXCg8Q1", "5KQfnXCg8Q2", "5KQfnXCg8Q3"]
    read = SourceRead("source.bin", 1_000_000)
    for film in films:
        async with bucket.host("fetcher").arrival(ORG, film) as folder:
            (folder / "source.bin").write_bytes(bytes(1_000_000))
            await space.keep_source(ORG, film, folder / "source.bin")
    for film in films:
        async with space.source(ORG, film, read):
            pass
    assert held(bucket) == films[1:]
    async with space.source(ORG, films[1], read), space.source(ORG, films[2], read):
        with pytest.raises(Postponed) as caught:
            async with space.source(ORG, films[0], read):
                pass
        assert caught.value.code == "workspace_full"
    assert held(bucket) == films[1:]


def held(bucket: Bucket) -> list[str]:
    return sorted(path.parent.name for path in below(bucket.scratch()) if path.name == "source.bin")


async def test_the_sweep_takes_what_ended_jobs_and_dead_workers_left_and_nothing_in_use(bucket: Bucket) -> None:
    space = bucket.host()
    read = await keep(space, b"film")
    async with space.source(ORG, JOB, read), space.attempt(ORG, JOB, PART) as attempt:
        (attempt / "segment").write_text("x")
        dead = attempt.parent / "v0007-0011"
        dead.mkdir()
        await space.sweep_scratch(running)
        assert not dead.exists()
        await space.sweep_scratch(over)
        assert (attempt / "segment").exists()
        assert held(bucket) == [JOB]
    await space.sweep_scratch(running)
    assert held(bucket) == [JOB], "the next part of the job may want it"
    await space.sweep_scratch(over)
    assert list((bucket.scratch() / "work").iterdir()) == []


@pytest.mark.parametrize("why", ["refuses", "is not there"])
async def test_a_storage_out_of_order_is_an_outage_and_tells_no_key(s3: S3Server, tmp_path: Path, why: str) -> None:
    endpoint = s3.endpoint if why == "refuses" else f"http://127.0.0.1:{free_port()}"
    keys = "access_key=AKNOBODY&secret_key=wrong"
    address = parse_s3(f"s3://nowhere/x?{keys}&region=us-east-1&endpoint={endpoint}", is_prefix=True)
    space = S3Space(Objects(address), Scratch(tmp_path, 2**30))
    try:
        with pytest.raises(Outage) as caught:
            await space.finished(ORG, JOB, PART)
        assert caught.value.code == "workspace_unreachable"
        assert "wrong" not in str(caught.value)
        assert "AKNOBODY" not in str(caught.value)
        with pytest.raises(Outage):
            await space.check()
    finally:
        await space.close()


async def test_a_large_source_goes_up_in_pieces_and_comes_down_in_ranges(bucket: Bucket) -> None:
    body = bytes(range(256)) * (17 * 4096) + b"end"
    read = await keep(bucket.host("one"), body)
    async with bucket.host("two").source(ORG, JOB, read) as opened:
        assert Path(opened.address).read_bytes() == body

"""Room for sources in the work space: reserved, asked for, waited for, or never there."""

import asyncio
from pathlib import Path

import pytest

from services.fetcher.download.room import ASK_BYTES, Room
from shared.errors import MillraceError, PermanentError, Postponed
from shared.workspace.folder import WorkFolder
from shared.workspace.inheritance import DOWNLOAD_STATE

MEGABYTE = 1024**2


class SmallDisk:
    """A work space on a disk of a certain size, which only the files of these tests take room on."""

    def __init__(self, root: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.space = WorkFolder(root.as_uri())
        self.elsewhere = 0

        class Usage:
            free = property(lambda _: size - self.elsewhere - self._used())

        monkeypatch.setattr("shared.workspace.folder.shutil.disk_usage", lambda _path: Usage())

    def room(self, job: str, keep_free: int = 0) -> Room:
        self.file(job).parent.mkdir(parents=True, exist_ok=True)
        return Room(self.file(job), keep_free, self.space.free_bytes, self.space.capacity_bytes, self.space.make_room)

    def file(self, job: str) -> Path:
        return self.space.source("org", job) / "source.bin"

    def write(self, job: str, size: int) -> None:
        """Let bytes come."""
        with self.file(job).open("r+b" if self.file(job).exists() else "wb") as file:
            file.write(b"x" * size)

    def _used(self) -> int:
        return sum(path.stat().st_blocks * 512 for path in self.space.root.rglob("*") if path.is_file())


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallDisk:
    return SmallDisk(tmp_path / "workspace", 40 * MEGABYTE, monkeypatch)


async def refused(room: Room, size: int | None) -> MillraceError:
    with pytest.raises(MillraceError) as caught:
        await room.reserve(size)
    return caught.value


async def test_what_one_download_will_need_is_not_there_for_another(disk: SmallDisk) -> None:
    await disk.room("one").reserve(30 * MEGABYTE)
    assert disk.space.free_bytes() == 10 * MEGABYTE
    error = await refused(disk.room("two"), 11 * MEGABYTE)
    assert isinstance(error, Postponed) and error.code == "workspace_full"
    await disk.room("three").reserve(9 * MEGABYTE)
    disk.write("one", 20 * MEGABYTE)
    # On the disk or still to come, it is the same room.
    assert disk.space.free_bytes() == pytest.approx(MEGABYTE, abs=64 * 1024)
    disk.space.remove_job("org", "one")
    await disk.room("two").reserve(11 * MEGABYTE)


async def test_a_download_that_goes_on_has_its_room_already(disk: SmallDisk) -> None:
    await disk.room("one").reserve(30 * MEGABYTE)
    disk.write("one", 10 * MEGABYTE)
    await disk.room("one").reserve(30 * MEGABYTE)
    assert disk.file("one").stat().st_size == 30 * MEGABYTE


async def test_two_that_look_at_the_same_moment_do_not_both_get_it(disk: SmallDisk) -> None:
    async def one(job: str) -> bool:
        try:
            await disk.room(job).reserve(30 * MEGABYTE)
        except Postponed:
            return False
        return True

    got = await asyncio.gather(*(one(job) for job in ("one", "two", "three")))
    assert sum(got) <= 1
    assert disk.space.free_bytes() == (10 if any(got) else 40) * MEGABYTE, "who did not get it keeps nothing reserved"


async def test_what_is_kept_for_retries_gives_way_to_a_download(disk: SmallDisk) -> None:
    for since, job in enumerate(("older", "newer")):
        disk.room(job)
        disk.write(job, 15 * MEGABYTE)
        (disk.file(job).parent / DOWNLOAD_STATE).write_text("{}")
        disk.space.keep_job("org", job, since)
    await disk.room("one").reserve(20 * MEGABYTE)
    assert [kept.job for kept in disk.space.kept.all()] == ["newer"]
    assert isinstance(await refused(disk.room("two"), 21 * MEGABYTE), Postponed)
    assert disk.space.kept.all(), "it would have been of no use"
    growing = disk.room("three")
    await growing.reserve(None)
    for size in range(0, 16 * MEGABYTE, 2 * MEGABYTE):
        disk.write("three", size)
        await growing.grown(size)
    assert not disk.space.kept.all()


async def test_some_room_is_left(disk: SmallDisk) -> None:
    assert isinstance(await refused(disk.room("one", keep_free=30 * MEGABYTE), 11 * MEGABYTE), PermanentError)
    await disk.room("one", keep_free=30 * MEGABYTE).reserve(10 * MEGABYTE)


async def test_what_can_never_fit_is_refused(disk: SmallDisk) -> None:
    """With all other jobs gone it still would not; what others than jobs take stays."""
    await disk.room("other").reserve(20 * MEGABYTE)
    disk.write("other", 20 * MEGABYTE)
    assert isinstance(await refused(disk.room("one"), 40 * MEGABYTE), Postponed)
    error = await refused(disk.room("one"), 41 * MEGABYTE)
    assert isinstance(error, PermanentError) and error.code == "input_too_large"
    assert str(40 * MEGABYTE) in error.detail
    disk.elsewhere = 5 * MEGABYTE
    assert (await refused(disk.room("one"), 36 * MEGABYTE)).code == "input_too_large"


@pytest.mark.parametrize(("others", "kind"), [(20, Postponed), (0, PermanentError)])
async def test_a_source_of_unknown_size_asks_as_it_grows(disk: SmallDisk, others: int, kind: type) -> None:
    if others:
        await disk.room("other").reserve(others * MEGABYTE)
    room = disk.room("one", keep_free=4 * MEGABYTE)
    await room.reserve(None)
    size = 0
    with pytest.raises(MillraceError) as caught:
        while size < 60 * MEGABYTE:
            size += MEGABYTE
            disk.write("one", size)
            await room.grown(size)
    assert type(caught.value) is kind
    assert size <= (36 - others) * MEGABYTE + ASK_BYTES
    assert disk.file("one").stat().st_size == 0, "what cannot be resumed is in nobody's way"


async def test_what_is_left_of_a_source_of_unknown_size_goes_before_it_asks_again(disk: SmallDisk) -> None:
    room = disk.room("one")
    disk.write("one", 39 * MEGABYTE)
    disk.elsewhere = 2 * MEGABYTE
    await room.reserve(None)
    assert disk.space.free_bytes() == 38 * MEGABYTE

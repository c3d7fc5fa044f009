"""What ended jobs leave for their retries: kept whole, had by one, and gone when its time is over or its room is needed."""

import itertools
import json
import threading
from pathlib import Path

import pytest

from shared.workspace.disk import used_bytes
from shared.workspace.folder import WorkFolder
from shared.workspace.inheritance import DOWNLOAD_STATE, INHERITED_STATE, source_lock
from shared.workspace.retries import InheritedPart

ORG, OLD, NEW, OTHER, LAST = "org001", "5KQfnXCg8Qh", "5KQfnXCg8Qj", "5KQfnXCg8Qk", "5KQfnXCg8Qm"
MEGABYTE = 1024**2


@pytest.fixture
def space(tmp_path: Path) -> WorkFolder:
    return WorkFolder(tmp_path.as_uri())


def fill(space: WorkFolder, job: str = OLD, *, size: int = 10, parts: int = 2) -> None:
    """The source of a job, some finished parts, and the tile of one that was uploaded."""
    with space.fetching(ORG, job) as folder:
        (folder / "source.bin").write_bytes(b"x" * size)
        (folder / DOWNLOAD_STATE).write_text("{}")
    for number in range(parts):
        with space.attempt(ORG, job, f"v{number:04d}") as folder:
            (folder / "segment").write_text(f"{job} {number}")
            space.finish(folder, ORG, job, f"v{number:04d}", json.dumps({"number": number}))
    space.keep_tile(ORG, job, 7, b"tile")


def files(space: WorkFolder) -> list[str]:
    return sorted(str(path.relative_to(space.root)) for path in space.root.rglob("*") if path.is_file())


def inherited(space: WorkFolder, job: str = NEW) -> list[InheritedPart]:
    return space.inheritance(ORG, job).parts() or []


def offer_all(space: WorkFolder) -> None:
    for part in inherited(space):
        space.inheritance(ORG, NEW).offer(part, {}, {})
    space.inheritance(ORG, NEW).close()


def accept(space: WorkFolder, part: str) -> str | None:
    space.inheritance(ORG, NEW).accept(part, space.part(ORG, NEW, part))
    return space.finished(ORG, NEW, part)


def test_a_retry_has_all_that_was_kept(space: WorkFolder) -> None:
    fill(space)
    space.keep_job(ORG, OLD, since=100)
    assert space.jobs() == [] and [kept.job for kept in space.kept.all()] == [OLD]
    space.take_over(ORG, OLD, NEW)
    assert space.kept.all() == []
    source = space.source(ORG, NEW)
    assert {path.name for path in source.iterdir()} == {"source.bin", INHERITED_STATE, ".lock"}, "its state is a claim"
    assert {part.tiles[7] for part in inherited(space)} == {4}
    offer_all(space)
    assert space.finished(ORG, NEW, "v0001") is None, "an offer is no part yet"
    assert space.inheritance(ORG, NEW).record("v0001") == '{"number": 1}'
    assert accept(space, "v0001") == space.finished(ORG, NEW, "v0001") == '{"number": 1}'
    assert (space.part(ORG, NEW, "v0001") / "segment").read_text() == f"{OLD} 1"
    space.inheritance(ORG, NEW).refuse("v0000")
    assert accept(space, "v0000") is None
    space.remove_job(ORG, NEW)
    assert list(space.root.iterdir()) == [], "nothing is left of either"


def test_what_the_janitor_has_not_come_to_yet_is_taken_over_too(space: WorkFolder) -> None:
    fill(space)
    space.take_over(ORG, OLD, NEW)
    assert space.jobs() == [(ORG, NEW)]
    space.keep_job(ORG, OLD, since=100)
    assert space.kept.all() == []
    assert len(inherited(space)) == 2


def test_a_second_retry_gets_nothing_and_takes_nothing_away(space: WorkFolder) -> None:
    fill(space)
    space.keep_job(ORG, OLD, since=100)
    space.take_over(ORG, OLD, NEW)
    had = files(space)
    space.take_over(ORG, OLD, OTHER)
    assert files(space) == [*had, f"{ORG}/{OTHER}/lineage"] and space.inheritance(ORG, OTHER).parts() is None


def test_what_nobody_could_use_is_not_kept(space: WorkFolder) -> None:
    with space.attempt(ORG, OLD, "v0000") as folder:
        (folder / "segment").write_text("half of it")
        space.keep_job(ORG, OLD, since=100)
        assert list(space.root.iterdir()) == []
    fill(space)
    (space.source(ORG, OLD) / DOWNLOAD_STATE).unlink()
    space.keep_job(ORG, OLD, since=100)
    assert not (space.kept.folder(ORG, OLD) / "source").exists(), "nobody knows which content that is"
    assert (space.kept.folder(ORG, OLD) / "parts").exists()


def test_what_comes_late_is_not_kept_beside_what_is(space: WorkFolder) -> None:
    fill(space)
    space.keep_job(ORG, OLD, since=100)
    fill(space, parts=1)
    space.keep_job(ORG, OLD, since=100)
    assert space.jobs() == []
    assert len(list((space.kept.folder(ORG, OLD) / "parts").iterdir())) == 2


def test_a_source_that_a_late_worker_writes_is_left_behind(space: WorkFolder) -> None:
    fill(space)
    with space.fetching(ORG, OLD):
        space.keep_job(ORG, OLD, since=100)
        space.take_over(ORG, OLD, NEW)
        assert not space.source(ORG, NEW).exists()
    assert len(inherited(space)) == 2, "parts are finished, whoever is still at work"
    with space.fetching(ORG, NEW) as folder:
        assert {path.name for path in folder.iterdir()} == {".lock"}


def test_a_late_worker_does_not_begin_in_a_folder_that_is_taken_over(space: WorkFolder) -> None:
    fill(space)
    with (
        source_lock(space.source(ORG, OLD), exclusive=True),
        pytest.raises(FileNotFoundError),
        space.fetching(ORG, OLD),
    ):
        pytest.fail("it has begun")


class Crash(BaseException):
    """The worker is killed."""


def dies_after(renames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the process dies instead of doing a further rename."""
    rename, done = Path.rename, itertools.count()

    def renamed(path: Path, target: Path) -> Path:
        if next(done) >= renames:
            raise Crash
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)


def test_killed_anywhere_while_taking_over_it_ends_as_it_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for renames in itertools.count():
        space = WorkFolder((tmp_path / str(renames)).as_uri())
        fill(space)
        space.keep_job(ORG, OLD, since=100)
        with monkeypatch.context() as patched:
            dies_after(renames, patched)
            try:
                space.take_over(ORG, OLD, NEW)
                offer_all(space)
                break
            except Crash:
                patched.undo()
        space.take_over(ORG, OLD, NEW)
        offer_all(space)
        space.remove_leftovers()
        results.append(files(space))
    assert len(results) >= 6, "taking over, its state and the source, two parts, and what is left"
    assert all(result == files(space) for result in results)
    assert f"{ORG}/{NEW}/offered/v0001/segment" in files(space)


def test_while_the_janitor_puts_it_away_the_retry_gets_it_all_the_same(space: WorkFolder) -> None:
    for _ in range(50):
        fill(space)
        both = threading.Barrier(3)

        def put_away(both: threading.Barrier = both) -> None:
            both.wait()
            space.keep_job(ORG, OLD, since=100)

        janitors = [threading.Thread(target=put_away) for _ in range(2)]
        for janitor in janitors:
            janitor.start()
        both.wait()
        space.take_over(ORG, OLD, NEW)
        for janitor in janitors:
            janitor.join()
        assert len(inherited(space)) == 2
        assert (space.source(ORG, NEW) / "source.bin").exists()
        assert space.kept.all() == [] and space.jobs() == [(ORG, NEW)]
        space.remove_job(ORG, NEW)


def test_a_retry_of_a_retry_has_what_the_first_one_did_not_come_to(space: WorkFolder) -> None:
    fill(space)
    space.keep_job(ORG, OLD, since=100)
    space.take_over(ORG, OLD, NEW)
    space.keep_job(ORG, NEW, since=200)
    space.take_over(ORG, NEW, OTHER)
    assert (space.source(ORG, OTHER) / "source.bin").exists()
    assert {part.name for part in inherited(space, OTHER)} == {"v0000", "v0001"}
    assert all(part.tiles == {7: 4} for part in inherited(space, OTHER))


def test_a_second_retry_has_what_a_first_one_has_left(space: WorkFolder) -> None:
    """Whichever of the two jobs it runs again; but not what a retry has that is still running."""
    fill(space)
    space.keep_job(ORG, OLD, since=100)
    space.take_over(ORG, OLD, NEW)
    space.take_over(ORG, OLD, OTHER)
    assert space.inheritance(ORG, OTHER).parts() is None
    space.keep_job(ORG, NEW, since=200)
    space.take_over(ORG, OLD, OTHER)
    assert {part.name for part in inherited(space, OTHER)} == {"v0000", "v0001"}
    assert (space.source(ORG, OTHER) / "source.bin").exists()
    space.keep_job(ORG, OTHER, since=300)
    for before in (NEW, OLD):
        space.take_over(ORG, before, LAST)
        assert inherited(space, LAST)
        space.keep_job(ORG, LAST, since=400)


def test_offers_that_nobody_took_go_on_to_the_next_retry(space: WorkFolder) -> None:
    fill(space)
    space.take_over(ORG, OLD, NEW)
    offer_all(space)
    accept(space, "v0000")
    space.keep_job(ORG, NEW, since=200)
    space.take_over(ORG, NEW, OTHER)
    assert {part.name for part in inherited(space, OTHER)} == {"v0000", "v0001"}


def test_the_oldest_goes_first_and_no_more_than_is_needed(space: WorkFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    for since, job in enumerate((OTHER, OLD, NEW)):
        fill(space, job, size=MEGABYTE, parts=0)
        space.keep_job(ORG, job, since=since)

    class Usage:
        free = property(lambda _: 4 * MEGABYTE - used_bytes(space.root))

    monkeypatch.setattr("shared.workspace.folder.shutil.disk_usage", lambda _path: Usage())
    assert space.free_bytes() == pytest.approx(4 * MEGABYTE, abs=64 * 1024), "what is kept counts as free"
    assert space.make_room(MEGABYTE // 2)
    assert len(space.kept.all()) == 3
    assert space.make_room(2 * MEGABYTE - 64 * 1024)
    assert [kept.job for kept in space.kept.all()] == [OLD, NEW]
    assert not space.make_room(5 * MEGABYTE)
    assert list(space.root.iterdir()) == []


def test_what_has_no_note_is_the_first_to_go(space: WorkFolder) -> None:
    for job in (OLD, NEW):
        fill(space, job)
        space.keep_job(ORG, job, since=100)
    (space.kept.folder(ORG, NEW) / "kept.json").write_text('{"since": ')
    assert [kept.job for kept in space.kept.all()] == [NEW, OLD]

"""The work space: folders appear whole, twins do no harm, a full disk delays."""

import errno
import json
from pathlib import Path

import pytest

from shared.errors import TransientError
from shared.workspace.disk import full_disk_is_transient
from shared.workspace.folder import WorkFolder

ORG, JOB, PART = "org001", "5KQfnXCg8Qh", "v0001"


@pytest.fixture
def space(tmp_path: Path) -> WorkFolder:
    return WorkFolder(tmp_path.as_uri())


def make(space: WorkFolder, text: str) -> str:
    with space.attempt(ORG, JOB, PART) as folder:
        (folder / "segment").write_text(text)
        return space.finish(folder, ORG, JOB, PART, json.dumps({"made": text}))


@pytest.mark.parametrize("url", ["s3://bucket/x", "/a/path", "file://host/path", "file:relative", "file:"])
def test_only_an_absolute_folder_is_a_work_space(url: str) -> None:
    with pytest.raises(ValueError, match="file:///"):
        WorkFolder(url)


def test_a_part_appears_when_it_is_finished_and_not_before(space: WorkFolder) -> None:
    with space.attempt(ORG, JOB, PART) as folder:
        (folder / "segment").write_text("x")
        assert space.finished(ORG, JOB, PART) is None
        assert not space.part(ORG, JOB, PART).exists()
        space.finish(folder, ORG, JOB, PART, "{}")
        assert space.finished(ORG, JOB, PART) == "{}"
    assert (space.part(ORG, JOB, PART) / "segment").read_text() == "x"


def test_of_two_twins_the_first_one_counts_and_the_other_leaves_nothing(space: WorkFolder) -> None:
    assert json.loads(make(space, "first")) == {"made": "first"}
    assert json.loads(make(space, "second")) == {"made": "first"}
    assert (space.part(ORG, JOB, PART) / "segment").read_text() == "first"
    assert list((space.job(ORG, JOB) / "attempts").iterdir()) == []


def test_a_failed_attempt_leaves_nothing(space: WorkFolder) -> None:
    with pytest.raises(RuntimeError), space.attempt(ORG, JOB, PART) as folder:
        (folder / "segment").write_text("x")
        raise RuntimeError
    assert list((space.job(ORG, JOB) / "attempts").iterdir()) == []


def test_attempts_of_the_same_part_have_folders_of_their_own(space: WorkFolder) -> None:
    with space.attempt(ORG, JOB, PART) as one, space.attempt(ORG, JOB, PART) as other:
        assert one != other


def test_a_damaged_record_counts_as_none(space: WorkFolder) -> None:
    make(space, "x")
    (space.part(ORG, JOB, PART) / "record.json").write_text('{"made": ')
    assert space.finished(ORG, JOB, PART) is None


def test_removing_leaves_no_empty_folders_and_others_alone(space: WorkFolder) -> None:
    make(space, "x")
    other = space.source(ORG, "5KQfnXCg8Qj")
    other.mkdir(parents=True)
    before = space.finished(ORG, JOB, PART)
    space.empty_part(ORG, JOB, PART)
    space.empty_part(ORG, JOB, PART)
    assert [path.name for path in space.part(ORG, JOB, PART).iterdir()] == ["record.json"]
    assert space.finished(ORG, JOB, PART) == before
    space.empty_part(ORG, JOB, "v9999")
    space.remove_job(ORG, JOB)
    space.remove_job(ORG, JOB)
    assert other.exists()
    space.remove_job(ORG, "5KQfnXCg8Qj")
    assert list(space.root.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_worth_another_try(number: int) -> None:
    with pytest.raises(TransientError) as caught, full_disk_is_transient():
        raise OSError(number, "full")
    assert caught.value.code == "workspace_full"


def test_other_trouble_with_the_disk_is_not_hidden() -> None:
    with pytest.raises(PermissionError), full_disk_is_transient():
        raise PermissionError(errno.EACCES, "no")


def test_the_check_writes_and_leaves_nothing(tmp_path: Path) -> None:
    space = WorkFolder((tmp_path / "new").as_uri())
    space.check()
    assert list(space.root.iterdir()) == []
    assert space.free_bytes() > 0
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        WorkFolder((tmp_path / "file").as_uri()).check()


def test_a_tile_that_is_kept_outlives_its_part_and_is_kept_once_however_often(space: WorkFolder) -> None:
    make(space, "x")
    for body in (b"tile", b"tile"):
        space.keep_tile(ORG, JOB, 7, body)
    space.empty_part(ORG, JOB, PART)
    assert space.tiles(ORG, JOB, range(6, 9)) == {7: b"tile"}
    assert [path.name for path in (space.job(ORG, JOB) / "tiles").iterdir()] == ["7"]


def test_what_was_left_of_a_tile_by_a_crash_is_no_tile(space: WorkFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    make(space, "x")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        space.keep_tile(ORG, JOB, 1, b"tile")
    monkeypatch.undo()
    assert space.tiles(ORG, JOB, range(1, 3)) == {}
    space.keep_tile(ORG, JOB, 1, b"tile")
    assert space.tiles(ORG, JOB, range(1, 3)) == {1: b"tile"}


def test_a_late_tile_does_not_bring_a_removed_job_back(space: WorkFolder) -> None:
    make(space, "x")
    space.remove_job(ORG, JOB)
    with pytest.raises(FileNotFoundError):
        space.keep_tile(ORG, JOB, 1, b"tile")
    assert space.jobs() == []


def test_an_attempt_removes_what_a_killed_one_has_left(space: WorkFolder) -> None:
    attempts = space.job(ORG, JOB) / "attempts"
    for name in (f"{PART}-0011", "v0007-0022"):
        (attempts / name / "240p").mkdir(parents=True)
    with space.attempt(ORG, JOB, PART) as folder:
        assert {path.name for path in attempts.iterdir()} == {folder.name, "v0007-0022"}


def test_an_attempt_leaves_that_of_a_duplicate_worker_alone(space: WorkFolder) -> None:
    with space.attempt(ORG, JOB, PART) as first:
        (first / "240p.mp4").write_bytes(b"x")
        with space.attempt(ORG, JOB, PART) as second:
            assert (first / "240p.mp4").exists()
            assert second != first
        assert (first / "240p.mp4").exists()
    assert not list((space.job(ORG, JOB) / "attempts").iterdir())

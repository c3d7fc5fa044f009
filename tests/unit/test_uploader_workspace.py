"""Removal from the work space: nothing is left, whoever is still writing."""

from pathlib import Path

from shared.workspace.folder import WorkFolder

ORG, JOB = "org123", "5KQfnXCg8Qh"


def test_a_job_is_removed_whole(tmp_path: Path) -> None:
    space = WorkFolder(f"file://{tmp_path}")
    (space.source(ORG, JOB)).mkdir(parents=True)
    (space.source(ORG, JOB) / "source").write_bytes(b"x")
    with space.attempt(ORG, JOB, "v0000") as folder:
        (folder / "a.m4s").write_bytes(b"x")
        space.remove_job(ORG, JOB)
    assert list(tmp_path.iterdir()) == []


def test_a_late_writer_fails_or_is_swept(tmp_path: Path) -> None:
    space = WorkFolder(f"file://{tmp_path}")
    with space.attempt(ORG, JOB, "v0000") as folder, (folder / "open.m4s").open("wb") as still_open:
        space.remove_job(ORG, JOB)
        still_open.write(b"into a file that has no name any more")
        assert not folder.exists()
    with space.attempt(ORG, JOB, "v0001"):
        assert space.jobs() == [(ORG, JOB)]
        space.remove_job(ORG, JOB)
    assert list(tmp_path.iterdir()) == []


def test_other_jobs_stay(tmp_path: Path) -> None:
    space = WorkFolder(f"file://{tmp_path}")
    other = "5KQfnXCg8Qj"
    space.source(ORG, JOB).mkdir(parents=True)
    space.source(ORG, other).mkdir(parents=True)
    space.remove_job(ORG, JOB)
    space.remove_job(ORG, JOB)
    assert space.jobs() == [(ORG, other)]


def test_a_removal_that_was_cut_off_is_ended_by_the_next(tmp_path: Path) -> None:
    space = WorkFolder(f"file://{tmp_path}")
    (tmp_path / ".removing-org123-5KQfnXCg8Qh-00" / "source").mkdir(parents=True)
    assert space.jobs() == []
    space.remove_leftovers()
    assert list(tmp_path.iterdir()) == []

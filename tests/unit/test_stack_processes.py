"""No process is ever taken for another one."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stack.processes import (
    Identity,
    Record,
    descendants,
    identify,
    read_records,
    stop_with_descendants,
    tree_cpu_seconds,
    used_by,
    wait_until,
)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def identity_of(process: subprocess.Popen[bytes]) -> Identity:
    found = identify(process.pid)
    assert found
    return found


def test_a_process_is_alive_until_it_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper)
    assert identity.alive
    sleeper.kill()
    # It stays in the process table until it is waited for, but it is dead.
    assert wait_until(lambda: not identity.alive, 5)
    assert sleeper.returncode is None


@pytest.mark.parametrize("changed", [{"started": 1}, {"boot": "another boot"}])
def test_a_pid_that_was_given_to_another_process_is_not_signalled(
    changed: dict[str, int | str], sleeper: subprocess.Popen[bytes]
) -> None:
    former = replace(identity_of(sleeper), **changed)  # type: ignore[arg-type]
    assert not former.alive
    former.send(signal.SIGKILL)
    stop_with_descendants(former, signal.SIGKILL, 1)
    assert identity_of(sleeper).alive


def test_a_pid_of_nobody_has_no_identity() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert identify(process.pid) is None


def test_a_command_name_with_parentheses_and_spaces_does_not_confuse(tmp_path: Path) -> None:
    odd = tmp_path / ") R 1 (x y"
    odd.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(odd), "60"])
    try:
        assert identity_of(process).alive
        assert process.pid in descendants(os.getpid())
    finally:
        process.kill()
        process.wait()


def test_stopping_reaches_descendants_in_other_sessions() -> None:
    code = "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True).wait()"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        assert wait_until(lambda: len(descendants(process.pid)) == 1, 10)
        grandchild = identify(descendants(process.pid)[0])
        assert grandchild and grandchild.alive
        stop_with_descendants(identity_of(process), signal.SIGTERM, 5)
        assert not grandchild.alive
    finally:
        process.kill()
        process.wait()


def test_cpu_time_of_children_that_have_ended_is_counted() -> None:
    before = tree_cpu_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"], check=True)
    # The process table counts in hundredths of a second.
    assert tree_cpu_seconds(os.getpid()) - before > 0.25


def test_records_are_read_as_they_were_written(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    record = Record("fetcher", identity_of(sleeper), restarts=2, ready=True)
    record.write(tmp_path)
    assert read_records(tmp_path) == {"fetcher": record}
    assert (tmp_path / "fetcher.pid").read_text() == f"{sleeper.pid}\n"


def test_a_record_that_was_cut_off_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text('{"name": "api", "proc')
    (tmp_path / "empty.json").write_text("")
    assert read_records(tmp_path) == {}


def test_removing_a_record_can_keep_the_history(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    Record("api", identity_of(sleeper), restarts=1).write(tmp_path)
    Record.remove(tmp_path, "api", keep_history=True)
    assert not (tmp_path / "api.pid").exists()
    assert read_records(tmp_path)["api"].restarts == 1
    Record.remove(tmp_path, "api")
    assert read_records(tmp_path) == {}


def test_a_record_that_is_being_written_or_taken_away_is_none(tmp_path: Path) -> None:
    Record("api", identity_of_this()).write(tmp_path)
    # As it stands for a moment before it gets its name, and as it is listed and gone again.
    (tmp_path / ".fetcher.json").write_text((tmp_path / "api.json").read_text())
    (tmp_path / "uploader.json").symlink_to(tmp_path / "gone")
    assert set(read_records(tmp_path)) == {"api"}


def test_what_a_program_has_used_is_told_of_its_own_children_too() -> None:
    spin = "import time\nwhile time.process_time() < 0.3: pass"
    used = used_by([sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}])"])
    assert used.ru_utime + used.ru_stime >= 0.3
    with pytest.raises(RuntimeError, match="false ended with status 1"):
        used_by(["false"])


def identity_of_this() -> Identity:
    found = identify(os.getpid())
    assert found
    return found

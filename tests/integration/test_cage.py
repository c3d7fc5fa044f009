"""The cage: a hostile program tries to get out of it in each way, and with each wall alone; ffmpeg works in it."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.cage.cage import Cage, NoProgram, Touches, Wall, all_walls, current, detect, use
from shared.cage.selftest import Outcome, try_all
from shared.cage.setup import CageIncomplete, set_up_cage
from shared.cage.trial import tried
from shared.media.tools import ffmpeg_path
from shared.process import ProcessLimits, run_process

REPOSITORY = Path(__file__).resolve().parents[2]
MISSING = sorted(detect().missing)
DEPENDS = (
    "enter a new user namespace", "enter a new mount namespace", "load a program into the kernel", "watch the kernel",
    "look for keys in the kernel", "have the kernel make calls", "handle page faults", "debug a service",
    "read the memory of a service", "read the memory of a service by a call",
)  # fmt: skip


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The cage of this process is set back."""
    before = current()
    yield
    use(before)


async def outcomes(*, outside: bool = True) -> list[Outcome]:
    return [outcome async for outcome in try_all(outside=outside)]


async def test_whatever_a_hostile_program_tries_is_refused_in_the_cage_and_works_outside(tmp_path: Path) -> None:
    use(await asyncio.to_thread(tried, detect(), tmp_path))
    found = await outcomes()
    assert not [outcome for outcome in found if not outcome.as_it_should]
    inside = {outcome.attempt.name for outcome in found if outcome.inside == "done"}
    assert inside == {"read the source of the job", "write to its output"}
    # Outside it succeeds, or the attempts would prove nothing; but of these some are refused to whoever is not root, in
    # containers, and by careful kernels.
    unproved = {outcome.attempt.name for outcome in found if outcome.outside != "done"}
    assert unproved <= {"connect to the internet", "be root", *DEPENDS}
    skipped = sorted(outcome.attempt.name for outcome in found if outcome.inside == "not tried")
    if skipped:
        pytest.skip(f"this machine lacks {', '.join(sorted(current().missing))}; not tried: {', '.join(skipped)}")


@pytest.mark.parametrize("wall", sorted(all_walls()))
async def test_each_wall_holds_alone_what_is_its_to_hold(wall: Wall) -> None:
    """So that a kernel that lacks the others has a cage all the same."""
    if wall not in detect().walls:
        pytest.skip(f"this machine has no {wall}")
    # Another user needs Landlock, which decides where it may go.
    use(Cage("on", frozenset({wall, "landlock"} if wall == "user" else {wall})))
    found = await outcomes(outside=False)
    assert not [outcome for outcome in found if not outcome.as_it_should]
    assert [outcome for outcome in found if outcome.inside == "refused"] or wall == "network"


async def test_ffmpeg_writes_to_its_folder_and_nowhere_else(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    made: list[int] = []
    for folder in (own, other):
        folder.mkdir(mode=0o700)
        argv = [
            ffmpeg_path(),
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "color=size=64x64",
            "-frames:v",
            "1",
            str(folder / "a.png"),
        ]
        made.append((await run_process(argv, limits=ProcessLimits(seconds=60), touches=Touches((), (own,)))).status)
    assert (own / "a.png").stat().st_size
    if "landlock" not in detect().walls:
        pytest.skip("this kernel has no Landlock")
    assert made[0] == 0 != made[1]
    assert not list(other.iterdir())
    if "user" in detect().walls:
        assert (own / "a.png").stat().st_uid not in (0, other.stat().st_uid)


async def test_the_time_of_processors_is_bounded() -> None:
    argv = [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360", "-f", "null", "-"]
    finished = await run_process(argv, limits=ProcessLimits(seconds=120, cpu_seconds=1), touches=Touches())
    # Where nothing prevents it, ffmpeg takes the signal for a request to end.
    assert finished.status == (-signal.SIGXCPU if "seccomp" in current().walls else 255)


async def test_what_is_missing_is_said_once_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "shared.cage.setup.tried",
        lambda found, _folder: replace(found, walls=frozenset({"network"}), missing=frozenset({"landlock"})),
    )
    with capture_logs() as logs:
        shown = await set_up_cage("on", [ffmpeg_path()], tmp_path)
    assert shown == {"mode": "on", "missing": ["landlock"]}
    assert [(line["event"], line["missing"]) for line in logs] == [("ffmpeg is not wholly caged", ["landlock"])]
    assert current().walls == {"network"}
    with pytest.raises(CageIncomplete, match="the cage lacks landlock"):
        await set_up_cage("require", [ffmpeg_path()], tmp_path)


async def test_a_whole_cage_may_be_required(tmp_path: Path) -> None:
    if MISSING:
        pytest.skip(f"this machine lacks {', '.join(MISSING)}")
    with capture_logs() as logs:
        assert await set_up_cage("require", [ffmpeg_path()], tmp_path) == {"mode": "require", "missing": []}
    assert [line["event"] for line in logs] == ["ffmpeg is caged"]
    assert not list(tmp_path.iterdir())


async def test_a_script_instead_of_a_program_is_refused_at_start(tmp_path: Path) -> None:
    script = tmp_path / "ffmpeg"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(NoProgram, match="MILLRACE_CAGE=off"):
        await set_up_cage("on", [str(script)], tmp_path)
    assert await set_up_cage("off", [str(script)], tmp_path) == {"mode": "off", "missing": sorted(all_walls())}


async def test_without_the_work_space_no_other_user_is_trusted_to_work_there(tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    found = await asyncio.to_thread(tried, detect(), nowhere)
    assert "user" not in found.walls
    assert found.walls >= detect().walls - {"user", "network"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_than_root_is_held_as_well() -> None:
    """With a Python that everybody can run, and a copy of the code that everybody can read."""
    python = "/usr/bin/python3"
    if not shutil.which(python) or subprocess.run([python, "-c", "import tomllib"], check=False).returncode:
        pytest.skip("there is no Python 3.11 or newer that everybody can run")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        shutil.copytree(REPOSITORY / "shared", place / "shared", ignore=shutil.ignore_patterns("__pycache__"))
        done = subprocess.run(
            [python, "-m", "shared.cage", "--inside"], cwd=place, user=1234, group=1234, extra_groups=[],
            env={"PATH": os.environ["PATH"]}, check=False, capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 not as it should be" in done.stdout

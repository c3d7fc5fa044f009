"""Tries to get out of the cage, in one way after the other, and outside of it as well: what fails there too proves nothing."""

import asyncio
import os
import shutil
import socket
import sys
import sysconfig
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.cage import landlock
from shared.cage.cage import Touches, Wall, current
from shared.process import ProcessLimits, run_process

_HOSTILE = Path(__file__).with_name("hostile.py")
_SECONDS = 60.0
# No address that anybody has (RFC 5737). The attempt ends where a socket is asked for, before anything could be sent to it.
_NOBODY = "192.0.2.1:9"

Ended = Literal["done", "refused", "not tried"]


@dataclass(frozen=True)
class Attempt:
    """One thing to try.

    Attributes:
        name: in words. act: function of ``hostile.py``. argument: what it gets.
        held_by: the walls each of which prevents it; none for what is allowed.
        outside: whether it is tried outside of the cage, too.
    """

    name: str
    act: str
    argument: str = "-"
    held_by: frozenset[Wall] = frozenset()
    outside: bool = True


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended inside and outside of the cage."""

    attempt: Attempt
    inside: Ended
    outside: Ended
    said: str

    @property
    def as_it_should(self) -> bool:
        """What is forbidden was refused, what is allowed was done; nobody can say where no wall stands that prevents it."""
        return self.inside in ("not tried", "refused" if self.attempt.held_by else "done")


@dataclass(frozen=True)
class Field:
    """What there is to get at: two jobs, a state folder, a process with a secret, and servers on this machine."""

    folder: Path
    victim: int
    port: int

    @property
    def touches(self) -> Touches:
        """What the cage of the first job's encode leaves, and what it takes to run Python in it."""
        library = Path(sysconfig.get_path("stdlib"))
        return Touches((self.source, _HOSTILE, library, Path(sys.base_prefix) / "lib"), (self.output,))

    @property
    def source(self) -> Path:
        """The source of the job."""
        return self.folder / "space/org/job/source/film"

    @property
    def output(self) -> Path:
        """The folder that its encode writes to."""
        return self.folder / "space/org/job/attempts/v0000"


def attempts(field: Field) -> list[Attempt]:
    """All that is tried. A second argument of a call is behind a colon."""
    files, calls, memory = (
        frozenset[Wall]({"landlock"}),
        frozenset[Wall]({"seccomp"}),
        frozenset[Wall]({"landlock", "user"}),
    )
    # What Landlock has learned later.
    signals = calls | frozenset[Wall]({"user"}) | (files if landlock.abi() >= 6 else frozenset())
    lengths = calls | (files if landlock.abi() >= 3 else frozenset())
    sockets = calls | frozenset[Wall]({"network"})
    victim, other, state = str(field.victim), field.folder / "space/org/other", field.folder / "state"
    found = [
        Attempt("read the source of the job", "read_file", str(field.source)),
        Attempt("write to its output", "write_file", str(field.output / "made")),
        Attempt("read the environment of a service", "read_file", f"/proc/{victim}/environ", memory),
        Attempt("read the memory of a service", "read_memory", victim, memory),
        Attempt("read the memory of a service by a call", "read_memory_by_call", victim, memory | calls),
        Attempt("read the command line of a service", "read_file", f"/proc/{victim}/cmdline", files),
        Attempt("debug a service", "trace", victim, memory | calls),
        Attempt("send a service a signal", "send_signal", victim, signals),
        Attempt("send its parent a signal", "kill_parent", held_by=signals),
        Attempt("read another job's source", "read_file", str(other / "source/film"), files),
        Attempt("list the work space", "list_folder", str(field.folder / "space"), files),
        Attempt("list the jobs of an organization", "list_folder", str(field.folder / "space/org"), files),
        Attempt("list the processes", "list_folder", "/proc", files),
        Attempt("list the root folder", "list_folder", "/", files),
        Attempt("read the state folder", "read_file", str(state / "key"), files),
        Attempt("read /etc/passwd", "read_file", "/etc/passwd", files),
        Attempt("write to the source of the job", "write_file", str(field.source), files),
        Attempt("write beside it", "write_file", str(field.source.parent / "more"), files),
        Attempt("write to another job", "write_file", str(other / "source/film"), files),
        Attempt("write to the state folder", "write_file", str(state / "more"), files),
        Attempt("write beside the work space", "write_file", str(field.folder / "more"), files),
        Attempt("empty another job's source", "truncate_file", str(other / "source/film"), lengths),
        Attempt("open the state folder to everybody", "chmod_file", str(state / "key"), calls),
        Attempt("remove a file of another job", "remove_file", str(other / "source/spare"), files),
        Attempt("leave a link in its output", "link_file", f"/etc/passwd:{field.output}/link", files),
        Attempt("become another program", "execute", shutil.which("true") or "/bin/true", files),
        Attempt("fork a thousand times", "fork", held_by=calls),
        Attempt("connect to loopback", "connect_tcp", f"127.0.0.1:{field.port}", sockets),
        Attempt("connect to the internet", "connect_tcp", _NOBODY, sockets, outside=False),
        Attempt("open a socket for packets", "open_socket", held_by=calls),
        Attempt("connect to a Unix socket", "connect_unix", str(field.folder / "socket"), calls),
        Attempt("enter a new user namespace", "new_user_namespace", held_by=calls),
        Attempt("enter a new mount namespace", "new_mount_namespace", held_by=calls),
        Attempt("leave its group of processes", "leave_group", held_by=calls),
        Attempt("outlive its worker", "outlive_parent", held_by=calls),
        Attempt("load a program into the kernel", "bpf", held_by=calls),
        Attempt("watch the kernel", "perf", held_by=calls),
        Attempt("look for keys in the kernel", "keys", held_by=calls),
        Attempt("have the kernel make calls", "io_uring", held_by=calls),
        Attempt("handle page faults", "userfault", held_by=calls),
    ]
    return [*found, Attempt("be root", "become_root", held_by=frozenset({"user"}))] if os.geteuid() == 0 else found


async def try_all(*, outside: bool = True) -> AsyncIterator[Outcome]:
    """Try everything in the cage that stands (:func:`shared.cage.cage.current`).

    Args:
        outside: also try it outside.
    """
    walls = current().walls
    with _field() as field:
        for attempt in attempts(field):
            free: Ended = "not tried"
            if outside and attempt.outside:
                free = await _outside(attempt)
                _lay_out(field.folder)
            inside: Ended = "not tried"
            said = "no wall that stands here prevents it"
            if not attempt.held_by or attempt.held_by & walls:
                inside, said = await _inside(attempt, field)
                _lay_out(field.folder)
            yield Outcome(attempt, inside, free, said)


def _command(attempt: Attempt) -> list[str]:
    # Without site-packages, of which the cage has none.
    return [str(Path(sys.executable).resolve()), "-I", "-S", str(_HOSTILE), attempt.act, attempt.argument]


async def _inside(attempt: Attempt, field: Field) -> tuple[Ended, str]:
    limits = ProcessLimits(seconds=_SECONDS)
    finished = await run_process(_command(attempt), limits=limits, touches=field.touches)
    ended = _ended(finished.status, finished.output, finished.error_tail)
    return ended, finished.output.decode().strip() or "done"


async def _outside(attempt: Attempt) -> Ended:
    process = await asyncio.create_subprocess_exec(
        *_command(attempt), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    return _ended(process.returncode, output, errors.decode(errors="replace"))


def _ended(status: int | None, output: bytes, errors: str) -> Ended:
    # Who has become another program says nothing any more.
    if status == 0:
        return "done"
    if status == 1 and output:
        return "refused"
    raise RuntimeError(f"the hostile program ended with status {status}: {errors}")


@contextmanager
def _field() -> Iterator[Field]:
    with tempfile.TemporaryDirectory(prefix="millrace-cage-") as place, ExitStack() as stack:
        folder = Path(place)
        _lay_out(folder)
        servers = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
        for server in servers:
            stack.enter_context(server)
        servers[1].bind(str(folder / "socket"))
        servers[1].listen()
        victim = stack.enter_context(_victim())
        yield Field(folder, victim, servers[0].getsockname()[1])


@contextmanager
def _victim() -> Iterator[int]:
    """A process that has a secret in its environment."""
    read, write = os.pipe()
    program = str(Path(sys.executable).resolve())
    pid = os.posix_spawn(
        program,
        [program, "-I", "-S", "-c", "import os; os.read(0, 1)"],
        {"SECRET": "hunter2"},
        file_actions=[(os.POSIX_SPAWN_DUP2, read, 0), (os.POSIX_SPAWN_CLOSE, write)],
    )
    os.close(read)
    try:
        yield pid
    finally:
        # The end of its input is its own.
        os.close(write)
        os.waitpid(pid, 0)


def _lay_out(folder: Path) -> None:
    """As it was before the attempt."""
    for place in ("space/org/job/attempts/v0000", "space/org/job/source", "space/org/other/source", "state"):
        (folder / place).mkdir(parents=True, exist_ok=True, mode=0o700)
    for place in (
        "space/org/job/source/film",
        "space/org/other/source/film",
        "space/org/other/source/spare",
        "state/key",
    ):
        file = folder / place
        file.write_text("private")
        file.chmod(0o600)
    output = folder / "space/org/job/attempts/v0000"
    source = folder / "space/org/job/source"
    for made in (output / "made", output / "link", source / "more", folder / "state/more", folder / "more"):
        made.unlink(missing_ok=True)

"""A program that tries to get out of the cage, one attempt by its name: ``python hostile.py <attempt> <argument>``.

It imports nothing of ours, since it runs where nothing of ours can be read. It exits with 0 where the attempt has succeeded, with
1 where it was refused, and says how on standard output; anything else is a mistake in it.
"""

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

_libc = ctypes.CDLL(None, use_errno=True)
_PTRACE_ATTACH, _PTRACE_DETACH = 16, 17
_CLONE_NEWUSER, _CLONE_NEWNS = 0x1000_0000, 0x0002_0000
_FORKS = 1000


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def read_file(path: str) -> None:
    """Read a file, of another job, say."""
    with open(path, "rb") as file:  # noqa: PTH123 - as plain as can be
        file.read(1)


def list_folder(path: str) -> None:
    """List a folder."""
    os.listdir(path)  # noqa: PTH208


def write_file(path: str) -> None:
    """Make a file and write to it."""
    with open(path, "w") as file:  # noqa: PTH123
        file.write("x")


def truncate_file(path: str) -> None:
    """Empty somebody's file without opening it."""
    os.truncate(path, 0)


def chmod_file(path: str) -> None:
    """Let everybody have somebody's file."""
    os.chmod(path, 0o644)  # noqa: PTH101


def remove_file(path: str) -> None:
    """Remove somebody's file."""
    os.unlink(path)  # noqa: PTH108


def link_file(paths: str) -> None:
    """Lead somebody who reads our output elsewhere."""
    source, target = paths.split(":")
    os.symlink(source, target)  # noqa: PTH211


def read_memory(pid: str) -> None:
    """Read another process's memory through /proc."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
        memory.seek(int(next(maps).partition("-")[0], 16))
        memory.read(1)


def read_memory_by_call(pid: str) -> None:
    """Read another process's memory without /proc; that there is nothing at the address is an answer from the other side."""

    class Span(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    here = ctypes.create_string_buffer(8)
    local, remote = Span(ctypes.addressof(here), 8), Span(ctypes.addressof(here), 8)
    result = _libc.process_vm_readv(int(pid), ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    if result < 0 and ctypes.get_errno() != 14:
        _checked(result)


def trace(pid: str) -> None:
    """Attach to a process as a debugger."""
    _checked(_libc.ptrace(_PTRACE_ATTACH, int(pid), None, None))
    os.waitpid(int(pid), 0)
    _libc.ptrace(_PTRACE_DETACH, int(pid), None, None)


def send_signal(pid: str) -> None:
    """Kill a process."""
    os.kill(int(pid), signal.SIGTERM)


def kill_parent(_: str) -> None:
    """Kill whoever has started us; a signal that does nothing tells as well."""
    os.kill(os.getppid(), signal.SIGCONT)


def fork(_: str) -> None:
    """Fork a thousand times. A single one is too many."""
    children: list[int] = []
    try:
        while len(children) < _FORKS:
            child = os.fork()
            if not child:
                signal.pause()
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def execute(path: str) -> None:
    """Become another program."""
    os.execv(path, [path])  # noqa: S606


def connect_tcp(address: str) -> None:
    """Connect to an address on the network. Where no answer comes, the connection was tried, which is what counts."""
    host, port = address.rsplit(":", 1)
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setblocking(False)
    with suppress(BlockingIOError):
        opened.connect((host, int(port)))


def open_socket(_: str) -> None:
    """Open a socket, for packets, without sending one."""
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()


def connect_unix(path: str) -> None:
    """Connect to a Unix socket."""
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(path)


def new_user_namespace(_: str) -> None:
    """Enter a namespace in which we would be root."""
    _checked(_libc.unshare(_CLONE_NEWUSER))


def new_mount_namespace(_: str) -> None:
    """Enter a namespace with mounts of our own."""
    _checked(_libc.unshare(_CLONE_NEWNS))


def become_root(_: str) -> None:
    """Be root."""
    os.setuid(0)


def leave_group(_: str) -> None:
    """Leave the group of processes that is killed at the end."""
    if os.getpid() == os.getsid(0):
        # Whoever leads a session cannot leave it, but a child could.
        child = os.fork()
        if not child:
            os.setsid()
            os._exit(0)
        os.waitpid(child, 0)
        return
    os.setsid()


def outlive_parent(_: str) -> None:
    """Do not die with our parent."""
    _checked(_libc.prctl(1, 0, 0, 0, 0))


def _call(number: int, *arguments: int) -> None:
    _checked(_libc.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments)))


def perf(_: str) -> None:
    """Watch events of the kernel. An event that makes no sense is refused by the kernel only after the filter."""
    _may_be_wrong(241 if os.uname().machine == "aarch64" else 298, 0, 0, -1, -1, 0)


def keys(_: str) -> None:
    """Ask for the session keyring."""
    _call(219 if os.uname().machine == "aarch64" else 250, 0, -3, 1)


def bpf(_: str) -> None:
    """Load a program into the kernel."""
    _may_be_wrong(280 if os.uname().machine == "aarch64" else 321, -1, 0, 0)


def io_uring(_: str) -> None:
    """Have the kernel make calls on our behalf."""
    _may_be_wrong(425, 1, 0)


def userfault(_: str) -> None:
    """Handle page faults."""
    _call(282 if os.uname().machine == "aarch64" else 323, 1)


def _may_be_wrong(number: int, *arguments: int) -> None:
    """Make a call with arguments that the kernel finds wrong: then it has come to look at them."""
    try:
        _call(number, *arguments)
    except OSError as error:
        if error.errno not in (14, 22):
            raise


ATTEMPTS: dict[str, Callable[[str], None]] = {
    attempt.__name__: attempt
    for attempt in (
        *(read_file, list_folder, write_file, truncate_file, chmod_file, remove_file, link_file),
        *(read_memory, read_memory_by_call, trace, send_signal, kill_parent, fork, execute),
        *(connect_tcp, open_socket, connect_unix, new_user_namespace, new_mount_namespace, become_root),
        *(leave_group, outlive_parent, perf, keys, bpf, io_uring, userfault),
    )
}


def main() -> None:
    """Try it."""
    name, argument = sys.argv[1:]
    try:
        ATTEMPTS[name](argument)
    except OSError as error:
        print(type(error).__name__, error.errno, error.strerror)
        raise SystemExit(1) from None
    print("done")


if __name__ == "__main__":
    main()

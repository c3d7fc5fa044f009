"""Several processes on one port, where one would leave cores idle: each is a whole replica of the api.

This process only starts them, by forking before there are any threads or connections, and starts another for one that ends.
They share the ports by ``SO_REUSEPORT``, so that a connection goes to any of those that listen. Leading, quotas and everything
else that there is once are settled between them as between replicas on different hosts.
"""

import os
import secrets
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Never

from shared.cage import kernel
from shared.cores import usable_cores
from shared.garbage import settle

_MOST_BY_THEMSELVES = 4
_FORWARDED = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
_RELEVANT = {*_FORWARDED, signal.SIGCHLD}


@dataclass(frozen=True)
class Member:
    """One of the processes.

    Attributes:
        number: counts from 0. count: how many there are.
        family: what their sockets for each other are named by.
        first: this is not a process that has taken the place of another one.
        ready: file descriptor that is told when it has started.
    """

    number: int
    count: int
    family: str
    first: bool
    ready: int

    def address(self, number: int | None = None) -> str:
        """The Unix socket, in no file system, of a process, by default this one."""
        return f"\0millrace-api-{self.family}-{self.number if number is None else number}"

    @property
    def others(self) -> list[int]:
        """The numbers of the others."""
        return [number for number in range(self.count) if number != self.number]

    def started(self) -> None:
        """Tell that this process has started."""
        os.write(self.ready, b".")


@dataclass(frozen=True)
class _Child:
    member: Member
    ready: int


def processes_wanted(setting: int) -> int:
    """How many processes there are. With 0 one for every two cores, as those who ask and those who store need some too.

    No more than four by themselves: each has connections to Postgres, of which there are a hundred as a rule.
    """
    return setting or min(_MOST_BY_THEMSELVES, max(1, int(usable_cores() // 2)))


def run_processes(count: int, places: Sequence[tuple[str, int]], serve: Callable[[Member], None]) -> int:
    """Run processes until all have ended after SIGTERM or SIGINT, or one of them cannot start; the exit status.

    Args:
        places: hosts and ports that they will listen on. Nobody else may.
        serve: what each of them does.

    Raises:
        OSError: somebody else listens there.
    """
    for host, port in places:
        _require_free(host, port)
    # What was imported is looked through once, and not by each of them, who share its memory as long as nobody touches it.
    settle()
    signal.pthread_sigmask(signal.SIG_BLOCK, _RELEVANT)
    family = secrets.token_hex(8)
    children: dict[int, _Child] = {}
    for number in range(count):
        _start(number, count, family, serve, children, first=True)
    status, stopping = 0, False
    while children:
        number = signal.sigwait(_RELEVANT)
        if number != signal.SIGCHLD:
            stopping = stopping or number != signal.SIGUSR1
            _tell(children, number)
            continue
        for child, code in _ended(children):
            was_ready = _was_ready(child)
            if stopping:
                status = status or code
            elif code and was_ready:
                _start(child.member.number, count, family, serve, children, first=False)
            else:
                # It was told to end, or it cannot start, which no other could.
                status, stopping = status or code, True
                _tell(children, signal.SIGTERM)
    return status


def _start(
    number: int, count: int, family: str, serve: Callable[[Member], None], children: dict[int, _Child], *, first: bool
) -> None:
    readable, writable = os.pipe()
    member, parent = Member(number, count, family, first, writable), os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(readable)
        _be(member, parent, serve)
    os.close(writable)
    children[pid] = _Child(member, readable)


def _be(member: Member, parent: int, serve: Callable[[Member], None]) -> Never:
    """Be one of the processes."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It has been killed in this very moment.
        raise SystemExit(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _RELEVANT)
    serve(member)
    raise SystemExit(0)


def _ended(children: dict[int, _Child]) -> list[tuple[_Child, int]]:
    """The processes that have ended since the last call, with their exit statuses."""
    found = []
    with suppress(ChildProcessError):
        while children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            if child := children.pop(pid, None):
                found.append((child, abs(os.waitstatus_to_exitcode(status))))
    return found


def _was_ready(child: _Child) -> bool:
    """Whether a process that has ended had started."""
    try:
        # At its end where it has not told anything.
        return bool(os.read(child.ready, 1))
    finally:
        os.close(child.ready)


def _tell(children: dict[int, _Child], number: int) -> None:
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _require_free(host: str, port: int) -> None:
    """Raises: OSError: somebody listens there. Those who share a port do not notice a stranger that shares it too."""
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            trial.bind(address)

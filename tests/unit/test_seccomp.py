"""The filter of system calls, run by an interpreter of the few instructions that it consists of, for both processors."""

import pytest

from shared.cage import syscalls
from shared.cage.seccomp import assemble

ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOWED, REFUSED, UNKNOWN, KILLED = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
OWN = 0x7FFF_FFFF
THREAD, NEW_USER, VFORK = 0x3D0F00, 0x10000000, 0x4111


def verdict(machine: str, number: int, *arguments: int, gpu: bool = False, architecture: int | None = None) -> int:
    """What the filter says of a call; :data:`OWN` stands for the process's own id."""
    data = {0: number, 4: ARCHITECTURE[machine] if architecture is None else architecture}
    data |= {16 + 8 * index: argument & 0xFFFF_FFFF for index, argument in enumerate(arguments)}
    program = assemble(machine, unix_sockets=gpu)
    place, loaded = 0, 0
    while True:
        code, true, false, value = program[place]
        place += 1
        if code == 0x20:
            loaded = data.get(value, 0)
        elif code == 0x06:
            return value
        else:
            holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
            place += true if holds else false


@pytest.mark.parametrize("machine", ARCHITECTURE)
class TestBothProcessors:
    def number(self, machine: str, name: str) -> int:
        found = syscalls.number(name, machine)
        assert found is not None
        return found

    def test_every_forbidden_call_is_refused_and_every_other_one_of_old_allowed(self, machine: str) -> None:
        forbidden = {syscalls.number(name, machine) for name in syscalls.FORBIDDEN} - {None}
        judged = {syscalls.number(name, machine) for name in syscalls.JUDGED}
        assert len(forbidden) > 80
        for number in range(syscalls.NEWER):
            if number not in judged:
                assert verdict(machine, number) == (REFUSED if number in forbidden else ALLOWED), number

    def test_what_is_newer_than_the_list_does_not_exist(self, machine: str) -> None:
        assert {verdict(machine, number) for number in (457, 470, 10_000)} == {UNKNOWN}

    def test_another_table_of_calls_ends_the_process(self, machine: str) -> None:
        assert verdict(machine, 0, architecture=0x40000003) == KILLED
        if machine == "x86_64":
            assert verdict(machine, 0x4000_0000 | 41) == KILLED

    def test_threads_are_made_and_processes_and_namespaces_are_not(self, machine: str) -> None:
        clone = self.number(machine, "clone")
        assert verdict(machine, clone, THREAD) == ALLOWED
        assert {verdict(machine, clone, flags) for flags in (17, VFORK, THREAD | NEW_USER, NEW_USER)} == {REFUSED}
        assert verdict(machine, self.number(machine, "clone3")) == UNKNOWN

    def test_no_other_process_may_be_named(self, machine: str) -> None:
        for name in ("kill", "tgkill", "tkill", "prlimit64", "sched_setscheduler", "sched_setaffinity"):
            number = self.number(machine, name)
            assert [verdict(machine, number, pid) for pid in (OWN, 0, 1, -1)] == [ALLOWED, ALLOWED, REFUSED, REFUSED]
        for name in ("setpriority", "ioprio_set"):
            assert [verdict(machine, self.number(machine, name), 0, pid) for pid in (0, 1)] == [ALLOWED, REFUSED]

    def test_sockets_are_for_gpus_alone_and_unix_sockets_only(self, machine: str) -> None:
        number = self.number(machine, "socket")
        assert [verdict(machine, number, family) for family in (1, 2, 10, 16)] == [REFUSED] * 4
        assert [verdict(machine, number, family, gpu=True) for family in (1, 2, 10, 16)] == [ALLOWED, *[REFUSED] * 3]

    def test_some_requests_of_calls_with_many_are_refused(self, machine: str) -> None:
        assert [verdict(machine, self.number(machine, "rt_sigaction"), number) for number in (24, 15)] == [
            REFUSED,
            ALLOWED,
        ]
        prctl, ioctl = self.number(machine, "prctl"), self.number(machine, "ioctl")
        assert [verdict(machine, prctl, option) for option in (1, 0x59616D61, 15, 38)] == [
            REFUSED,
            REFUSED,
            ALLOWED,
            ALLOWED,
        ]
        assert [verdict(machine, ioctl, 0, request) for request in (0x5412, 0x541C, 0x5401)] == [
            REFUSED,
            REFUSED,
            ALLOWED,
        ]

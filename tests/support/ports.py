"""Loopback ports for what a test starts: no two of them get the same one, and the kernel gives none of them to a connection."""

import random
import socket
from collections.abc import Iterable

from stack.layout import PORTS_TAKEN
from stack.probes import port_is_free

# Both below 32768, where the ports begin that the kernel gives to outgoing connections: one of those can be taken
# between the choice of a port and the moment when its server listens on it.
SINGLE = range(10_000, 20_000)
BASES = range(20_000, 32_000, PORTS_TAKEN)

# A port is ours while we hold the UDP port of the same number, which no server of ours uses: the kernel gives it to one
# process only, and takes it back when the process ends, however it ends.
_held: list[socket.socket] = []


def free_port() -> int:
    """A port on which nobody listens, for this process alone until it ends."""
    return _reserve(SINGLE, 1)


def free_port_base() -> int:
    """The first of the ports in a row that a stack needs, for this process alone until it ends."""
    return _reserve(BASES, PORTS_TAKEN)


def _reserve(firsts: range, in_a_row: int) -> int:
    # By chance, so that runs beside each other do not try the same ones in the same order.
    for first in random.sample(firsts, len(firsts)):
        if _hold(first):
            if _all_free(range(first, first + in_a_row)):
                return first
            _held.pop().close()
    raise AssertionError(f"no {in_a_row} of the ports from {firsts.start} are free")


def _hold(port: int) -> bool:
    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        holder.bind(("127.0.0.1", port))
    except OSError:
        holder.close()
        return False
    _held.append(holder)
    return True


def _all_free(ports: Iterable[int]) -> bool:
    return all(port_is_free(port) for port in ports)

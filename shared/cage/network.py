"""A network namespace without a network."""

import os
from contextlib import suppress

from shared.cage import kernel

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


def leave_network() -> bool:
    """Between fork and exec: be where no network is; whether the kernel lets us.

    Whoever is not root enters a user namespace for it, in which it bears the same ids.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        return kernel.unshare(_CLONE_NEWNET)
    if not kernel.unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
        return False
    with suppress(OSError):
        # The files belong to root in a process that is not to be looked into, as our services are. exec sets it anew.
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - between fork and exec, as little as possible
                file.write(text)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    return True

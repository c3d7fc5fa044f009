"""Run a program that refuses to run as root: ``python -m stack.unprivileged --owns DIR -- program …``.

PostgreSQL refuses uid 0. Where the kernel allows it, root enters a user namespace in which it bears another uid: the
files stay root's, so the program may lie and work under folders that only root can enter. Where it does not, the
program runs as ``nobody``, is given the folders named by ``--owns``, and may pass through those above them. Anyone but
root simply runs the program.
"""

import argparse
import ctypes
import os
import pwd
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x10000000


def main() -> None:
    """Become unprivileged if need be, then become the program (the pid stays)."""
    parser = argparse.ArgumentParser(prog="stack.unprivileged")
    parser.add_argument("--owns", type=Path, action="append", default=[], help="folder to give to the program's user")
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    if os.geteuid() == 0:
        _leave_root(options.program[0], options.owns)
    os.execv(options.program[0], options.program)  # noqa: S606 - no shell wanted


def _leave_root(program: str, folders: list[Path]) -> None:
    for folder in folders:
        _give(folder, 0, 0)
    if _enter_user_namespace():
        return
    nobody = pwd.getpwnam("nobody")
    for folder in folders:
        _give(folder, nobody.pw_uid, nobody.pw_gid)
        # Through the folder above, but not into it: what else is there belongs to root alone.
        folder.parent.chmod(folder.parent.stat().st_mode | 0o001)
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    for path in [Path(program), *folders]:
        if not os.access(path, os.X_OK):
            sys.exit(
                f"{Path(program).name} does not run as root, there are no user namespaces here, and the user nobody "
                f"cannot reach {path}.\n"
                "Run as another user, or keep the clone and STATE_DIR below folders that everybody may enter."
            )


def _enter_user_namespace() -> bool:
    # All of this is the caller's own process: a failure before the maps are written leaves nothing to undo.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        return False
    # initdb looks its own name up, so the uid inside must be one that the machine knows.
    uid = next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid), 1000)
    # The kernel takes a gid map from a process without privileges outside only after setgroups is denied.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} 0 1")
    Path("/proc/self/gid_map").write_text(f"{uid} 0 1")
    return True


def _give(folder: Path, uid: int, gid: int) -> None:
    if folder.stat().st_uid == uid:
        return
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, uid, gid, follow_symlinks=False)


if __name__ == "__main__":
    main()

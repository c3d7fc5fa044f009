"""What is looked at on this machine: ports, disk, ffmpeg with its encoders, and the programs of the stack."""

import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from shared.media.tools import ToolMissing, ffmpeg_path, ffprobe_path
from shared.system import why_no_stack
from stack import lifecycle
from stack.doctor.finding import Finding, failed, ok, warning
from stack.layout import Layout
from stack.probes import port_is_free

GB = 1_000_000_000
# A film of two hours takes some gigabytes of work space; with less than one, servers stop writing.
LEAST_DISK, SCARCE_DISK = 1 * GB, 10 * GB
_SECONDS = 30
_TRIALS = {
    "libx264": ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=0.2", "-c:v", "libx264"),
    "aac": ("-f", "lavfi", "-i", "sine=duration=0.2", "-c:a", "aac"),
}
_NVENC = ("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=0.2", "-c:v", "h264_nvenc")


def look_at_machine(layout: Layout) -> Iterator[Finding]:
    """Everything that can be seen without a server."""
    yield _system()
    yield from _ports(layout)
    yield disk(layout.state, shutil.disk_usage(_nearest(layout.state)).free)
    yield from _ffmpeg()


def _system() -> Finding:
    found = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    reason = why_no_stack()
    return failed("system", found, reason) if reason else ok("system", found)


def _ports(layout: Layout) -> Iterator[Finding]:
    """The ports of a stack that is down shall be free; of one that is up the programs shall be ready."""
    rows = lifecycle.rows(layout.state)
    if not rows:
        taken = [f"{port} ({name})" for name, port in layout.ports.items() if not port_is_free(port)]
        if taken:
            yield failed(
                "ports",
                f"taken by another program: {', '.join(taken)}",
                f"Stop it, or choose others: ./millrace up --port-base {layout.port_base + 1000}",
            )
        else:
            yield ok("ports", f"{layout.port_base} to {layout.port_base + 99} are free")
        return
    ill = [row.name for row in rows if not row.ready]
    if ill:
        yield failed("programs", f"not ready: {', '.join(ill)}", f"See why: ./millrace logs --service {ill[0]}")
    elif not lifecycle.supervisor_of(layout):
        yield failed("programs", "their supervisor is dead, so none is started again", "Start it: ./millrace up")
    elif again := [f"{row.name} {row.restarts} times" for row in rows if row.restarts]:
        yield warning("programs", f"started again: {', '.join(again)}", "See why: ./millrace logs --service supervisor")
    else:
        yield ok("programs", f"all {len(rows)} are ready")


def disk(folder: Path, free: int) -> Finding:
    """Whether there is room for films in a folder with so many bytes free."""
    found = f"{free / GB:.1f} GB are free for {folder}"
    remedy = "Make room, or put it elsewhere: ./millrace up --state-dir /a/larger/disk"
    if free < LEAST_DISK:
        return failed("disk", found, remedy)
    return warning("disk", found, remedy) if free < SCARCE_DISK else ok("disk", found)


def _ffmpeg() -> Iterator[Finding]:
    install = "Install what the lock file names: make .venv"
    try:
        ffmpeg, ffprobe = ffmpeg_path(), ffprobe_path()
    except ToolMissing as error:
        yield failed("ffmpeg", str(error), install)
        return
    for name, path in (("ffmpeg", ffmpeg), ("ffprobe", ffprobe)):
        status, said = _run(path, "-version")
        line = said.partition("\n")[0]
        yield ok(name, line.partition(" Copyright")[0]) if status == 0 else failed(name, f"{path}: {line}", install)
        if status:
            return
    for encoder, arguments in _TRIALS.items():
        status, said = _run(ffmpeg, "-v", "error", "-nostdin", *arguments, "-f", "null", "-")
        if status:
            yield failed(f"encoder {encoder}", said.partition("\n")[0] or "failed", f"{ffmpeg} lacks it. {install}")
        else:
            yield ok(f"encoder {encoder}", "a trial encode works")
    status, _ = _run(ffmpeg, "-v", "error", "-nostdin", *_NVENC, "-f", "null", "-")
    # No machine needs one.
    yield ok("encoder h264_nvenc", "not here: the CPU encodes" if status else "a trial encode works: the GPU encodes")


def _run(*argv: str) -> tuple[int, str]:
    """Exit status and what was said."""
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, (done.stdout or done.stderr).strip()


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())

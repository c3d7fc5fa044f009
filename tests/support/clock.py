"""Clocks that can be set: a library that is loaded before the C library has processes read the time with an offset.

The offset stands in a file that all of them have mapped, so that it changes for all at the same instant, as when somebody sets
the clock of their host. It needs a C compiler. Servers written in Go do not ask the C library and keep their time.
"""

import os
import shutil
import struct
import subprocess
from pathlib import Path

_FILE = "CLOCK_OFFSET"
_SOURCE = r"""
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t none = 0, *offset = &none;

__attribute__((constructor)) static void map_offset(void) {
    const char *path = getenv("CLOCK_OFFSET");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *at = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    if (at != MAP_FAILED) offset = at;
    close(file);
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int status = syscall(SYS_clock_gettime, id, now);
    if (status == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += *offset;
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return (time_t)-1;
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"""


class Clock:
    """The clock of all processes that are started with its ``environment``.

    Args:
        folder: for the library and the offset; there has to be one.
    """

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "clock.offset"
        self._library = folder / "clock.so"
        self._offset.write_bytes(struct.pack("q", 0))
        compiler = shutil.which("cc")
        self.settable = compiler is not None
        if compiler:
            argv = [compiler, "-shared", "-fPIC", "-O1", "-o", str(self._library), "-x", "c", "-"]
            subprocess.run(argv, input=_SOURCE, text=True, check=True)

    @property
    def environment(self) -> dict[str, str]:
        """Variables for the processes; none where there is no compiler."""
        return {"LD_PRELOAD": str(self._library), _FILE: str(self._offset)} if self.settable else {}

    def set(self, seconds: int) -> None:
        """From now on the clock is so many seconds ahead of the time, or behind it."""
        with self._offset.open("r+b") as file:
            os.pwrite(file.fileno(), struct.pack("q", seconds), 0)

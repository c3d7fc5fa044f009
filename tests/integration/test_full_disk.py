"""NATS on a disk that becomes full: it reads on, writes no more, and starts to only after a restart. A real disk, of 24 MB."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from shared.bus import joblog, write_check
from shared.bus.errors import BusUnavailable
from shared.bus.joblog import JobLog
from shared.bus.topology import provision
from shared.bus.write_check import BusCannotWrite, WriteCheck
from shared.ids import new_job_id
from stack.probes import nats_writes
from tests.support.bus import until
from tests.support.samples import created
from tests.support.servers import REPOSITORY, NatsServer


class SmallDisk(NatsServer):
    """NATS whose store is a file system of its own."""

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def prepare(self) -> None:
        self.store.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(self.store)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("file systems cannot be mounted here")

    def fill(self) -> None:
        with (self.store / "filler").open("wb", buffering=0) as file:
            for size in (1 << 16, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        (self.store / "filler").unlink()


_NETCAT = """#!{python}
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
while piece := sys.stdin.buffer.read1():
    connection.sendall(piece)
connection.shutdown(socket.SHUT_WR)
while piece := connection.recv(65536):
    sys.stdout.buffer.write(piece)
"""
_WGET = """#!{python}
import sys, urllib.request
urllib.request.urlopen(sys.argv[-1]).read()
"""


@pytest.fixture
def server() -> Iterator[SmallDisk]:
    disk = SmallDisk()
    try:
        with disk:
            yield disk
            disk.kill()
            subprocess.run(["umount", str(disk.store)], check=True)
    finally:
        subprocess.run(["umount", str(disk.store)], check=False, capture_output=True)


@pytest.fixture
async def client(server: SmallDisk) -> AsyncIterator[Client]:
    client = await server.connect()
    await provision(client.jetstream(), lease_seconds=30)
    yield client
    await client.close()


async def test_readiness_says_so_until_the_server_was_restarted(
    server: SmallDisk, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_check, "PROVED_SECONDS", 0.0)
    monkeypatch.setattr(joblog, "PUBLISH_TIMEOUT", 0.5)
    check, log = WriteCheck(client, "api"), JobLog(client)
    await check()
    assert nats_writes(server.port, "")
    await log.append(created(new_job_id()))
    server.fill()
    for again in (False, True):
        if again:
            server.free()
        with pytest.raises(BusCannotWrite):
            await check()
        assert not nats_writes(server.port, "")
        with pytest.raises(BusUnavailable):
            # What is smaller may find room in the last page of its file.
            await log.append(created(new_job_id(), client_metadata=f'{{"a": "{"x" * 9000}"}}'))
    server.stop()
    server.start()

    async def heals() -> bool:
        try:
            await check()
        except Exception:
            return False
        return True

    await until(heals, seconds=20)
    assert nats_writes(server.port, "")
    assert (await log.append(created(new_job_id()))).new


async def test_the_health_check_of_compose_restarts_a_server_that_has_room_again(
    server: SmallDisk, client: Client, tmp_path: Path
) -> None:
    # As in the image, which has both of busybox.
    for name, text in (("nc", _NETCAT), ("wget", _WGET)):
        (tmp_path / name).write_text(text.format(python=sys.executable))
        (tmp_path / name).chmod(0o755)

    def healthy() -> bool:
        environment = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "TMPDIR": str(tmp_path),
            "NATS_PASSWORD": '""',
            "NATS_CLIENT_PORT": str(server.port),
            "NATS_HTTP_PORT": str(server.http_port),
            "NATS_DATA": str(server.store),
            "NATS_ROOM_KIB": "1000",
            "NATS_WAIT_SECONDS": "1",
            "NATS_PID": str(server.pid),
        }
        return subprocess.run(["sh", REPOSITORY / "deploy/nats-health"], env=environment, check=False).returncode == 0

    assert healthy()
    server.fill()
    for _ in range(5):
        assert not healthy()
    assert server.running, "a restart helps nobody while the disk is full"
    server.free()
    assert not healthy()

    async def ended() -> bool:
        return not server.running

    await until(ended, seconds=20)
    server.stop()
    server.start()
    assert healthy()


async def test_a_write_proves_for_some_seconds(server: SmallDisk, client: Client) -> None:
    check = WriteCheck(client, "api")
    bucket = client.jetstream()

    async def written() -> int:
        return int((await bucket.stream_info("KV_health")).state.last_seq)

    for _ in range(5):
        await check()
    assert await written() == 1
    # Another service, and one that is gone.
    await WriteCheck(client, "uploader")()
    assert await written() == 2
    await client.close()
    with pytest.raises(Exception, match="closed"):
        await check()


def test_a_server_that_is_not_provisioned_counts_as_one_that_writes() -> None:
    with NatsServer() as server:
        assert nats_writes(server.port, "")
    assert not nats_writes(server.port, "")

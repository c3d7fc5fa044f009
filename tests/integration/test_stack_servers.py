"""The embedded stack's servers and its supervisor, without the services."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import asyncpg
import nats
import pytest
from nats.errors import Error as NatsError

from stack import envfile, lifecycle
from stack.client import Client
from stack.credentials import Credentials, load_or_create
from stack.layout import Layout, StackError
from stack.probes import nats_writes
from stack.processes import Identity, Record, descendants, identify, read_records, wait_until
from stack.servers import prepare
from tests.support.ports import free_port_base

SUPERVISE = """
import asyncio, sys
from pathlib import Path
from stack.credentials import load_or_create
from stack.layout import Layout
from stack.servers import servers
from stack.supervisor import supervise
layout = Layout(Path(sys.argv[1]), int(sys.argv[2]), 0)
asyncio.run(supervise(layout, servers(layout, load_or_create(layout.state))))
"""
SERVERS = {"nats", "postgres", "s3", "playback"}


class Servers:
    """The servers under a supervisor of their own."""

    def __init__(self, state: Path) -> None:
        self.layout = Layout(state, free_port_base(), 0)
        self.credentials: Credentials = load_or_create(state)
        self.env = envfile.variables(self.layout, self.credentials, "none")

    def start(self) -> None:
        """Start the supervisor; returns when all servers are ready."""
        prepare(self.layout, self.credentials)
        argv = [sys.executable, "-c", SUPERVISE, str(self.layout.state), str(self.layout.port_base)]
        with (self.layout.log / "supervisor.log").open("ab") as log:
            self.supervisor = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        assert wait_until(lambda: self.ready() >= SERVERS, 30), lifecycle.tail(self.layout, "supervisor")

    def ready(self) -> set[str]:
        """Names of the programs that run and were ready since their start."""
        records = read_records(self.layout.run).values()
        return {record.name for record in records if record.ready and record.process.alive}

    def record(self, name: str) -> Record:
        """The record of a program."""
        return read_records(self.layout.run)[name]

    def family(self) -> list[Identity]:
        """The supervisor and all below it."""
        pids = [self.supervisor.pid, *descendants(self.supervisor.pid)]
        return [identity for identity in map(identify, pids) if identity]

    def kill_and_wait(self, name: str) -> Record:
        """SIGKILL a program and wait until it runs again; its new record."""
        former = self.record(name).process
        former.send(signal.SIGKILL)
        restarted = wait_until(lambda: name in self.ready() and self.record(name).process != former, 30)
        assert restarted, lifecycle.tail(self.layout, "supervisor")
        return self.record(name)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    running = Servers(tmp_path_factory.mktemp("servers"))
    running.start()
    yield running
    family = running.family()
    lifecycle.down(running.layout.state, say=lambda _: None)
    running.supervisor.wait(10)
    assert len(family) > len(SERVERS)
    assert not [member for member in family if member.alive]
    assert list(running.layout.run.iterdir()) == []


async def test_what_was_put_is_at_once_there_with_its_size_and_type(servers: Servers) -> None:
    async with Client(servers.env) as client, client.bucket() as bucket:
        name = servers.env["S3_BUCKET"]
        for size in (1000, 10):
            await bucket.put_object(Bucket=name, Key="a/b/video.m3u8", Body=b"x" * size, ContentType="audio/mpegurl")
            head = await bucket.head_object(Bucket=name, Key="a/b/video.m3u8")
            assert (head["ContentLength"], head["ContentType"]) == (size, "audio/mpegurl")
            listed = await bucket.list_objects_v2(Bucket=name, Prefix="a/")
            assert [(item["Key"], item["Size"]) for item in listed["Contents"]] == [("a/b/video.m3u8", size)]
        await bucket.delete_object(Bucket=name, Key="a/b/video.m3u8")
        assert "Contents" not in await bucket.list_objects_v2(Bucket=name, Prefix="a/")


async def test_a_multipart_upload_is_seen_whole_or_not_at_all(servers: Servers) -> None:
    async with Client(servers.env) as client, client.bucket() as bucket:
        name, key = servers.env["S3_BUCKET"], "multipart.bin"
        upload = (await bucket.create_multipart_upload(Bucket=name, Key=key))["UploadId"]
        numbers = range(1, 4)
        sizes = (5 << 20, 5 << 20, 100)
        put = [
            bucket.upload_part(Bucket=name, Key=key, UploadId=upload, PartNumber=number, Body=bytes(size))
            for number, size in zip(numbers, sizes, strict=True)
        ]
        tags = [part["ETag"] for part in await asyncio.gather(*put)]
        assert "Contents" not in await bucket.list_objects_v2(Bucket=name, Prefix=key)
        assert len((await bucket.list_multipart_uploads(Bucket=name))["Uploads"]) == 1
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in zip(numbers, tags, strict=True)]
        await bucket.complete_multipart_upload(
            Bucket=name,
            Key=key,
            UploadId=upload,
            MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
        )
        assert (await bucket.head_object(Bucket=name, Key=key))["ContentLength"] == sum(sizes)
        assert not (await bucket.list_multipart_uploads(Bucket=name)).get("Uploads")


async def test_wrong_keys_are_refused(servers: Servers) -> None:
    async with Client(servers.env | {"S3_SECRET_KEY": "wrong"}) as client, client.bucket() as bucket:
        with pytest.raises(bucket.exceptions.ClientError) as refusal:
            await bucket.put_object(Bucket=servers.env["S3_BUCKET"], Key="x", Body=b"x")
        assert refusal.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


async def test_a_player_of_any_origin_reads_what_was_put_and_can_write_nothing(servers: Servers) -> None:
    async with Client(servers.env) as client, aiohttp.ClientSession(headers={"Origin": "http://player"}) as http:
        url = client.playback_url(client.location("play/video_00000.m4s"))
        for content in (b"first", b"second and longer"):
            async with client.bucket() as bucket:
                await bucket.put_object(Bucket=servers.env["S3_BUCKET"], Key="play/video_00000.m4s", Body=content)
            async with http.get(url) as response:
                assert await response.read() == content
                assert response.headers["Access-Control-Allow-Origin"] == "*"
        async with http.get(url, headers={"Range": "bytes=7-9"}) as response:
            assert (response.status, await response.read()) == (206, b"and")
        for method in ("PUT", "DELETE", "POST"):
            async with http.request(method, url, data=b"x") as response:
                assert response.status >= 400
        async with http.get(url) as response:
            assert await response.read() == content


async def test_nats_wants_the_password_and_keeps_its_streams_over_sigkill(servers: Servers) -> None:
    with pytest.raises(NatsError):
        # No api is there that NATS could ask about strangers. It waits for one as long as the client would by itself.
        url = f"nats://127.0.0.1:{servers.layout.ports['nats']}"
        await nats.connect(url, allow_reconnect=False, connect_timeout=30)
    assert await asyncio.to_thread(nats_writes, servers.layout.ports["nats"], servers.credentials.nats_password)
    assert not await asyncio.to_thread(nats_writes, servers.layout.ports["nats"], "wrong")
    client = await nats.connect(servers.env["NATS_URL"])
    await client.jetstream().add_stream(name="KEPT", subjects=["kept"])
    await client.jetstream().publish("kept", b"fact", stream="KEPT")
    await client.close()
    assert servers.kill_and_wait("nats").restarts >= 1
    client = await nats.connect(servers.env["NATS_URL"])
    assert (await client.jetstream().get_last_msg("KEPT", "kept")).data == b"fact"
    await client.close()


async def test_postgres_wants_the_password_and_keeps_its_data_over_sigkill(servers: Servers) -> None:
    url = servers.env["DATABASE_URL"]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url.replace(servers.credentials.postgres_password, "wrong"))
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("show server_encoding") == "UTF8"
    await connection.execute("create table kept (n int); insert into kept values (7)")
    backends = descendants(servers.record("postgres").process.pid)
    assert servers.kill_and_wait("postgres").restarts >= 1
    connection.terminate()
    # A server without its postmaster must not write on beside the new one.
    assert not [pid for pid in map(identify, backends) if pid]
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("select n from kept") == 7
    await connection.close()


def test_secrets_are_on_no_command_line(servers: Servers) -> None:
    lines = b"".join(Path(f"/proc/{member.pid}/cmdline").read_bytes() for member in servers.family())
    assert b"nats-server" in lines
    assert servers.credentials.s3_secret_key.encode() not in lines
    assert servers.credentials.nats_password.encode() not in lines


def test_down_after_the_supervisor_was_killed_leaves_nothing(tmp_path: Path) -> None:
    servers = Servers(tmp_path)
    servers.start()
    family = servers.family()
    servers.supervisor.kill()
    servers.supervisor.wait()
    assert all(servers.record(name).process.alive for name in SERVERS)
    lifecycle.down(tmp_path, say=lambda _: None)
    assert not [member for member in family if member.alive]
    # It was the fast shutdown: nothing has to be recovered.
    assert "database system is shut down" in (servers.layout.log / "postgres.log").read_text()


def test_what_a_killed_program_leaves_behind_is_killed_before_it_starts_again(tmp_path: Path) -> None:
    child = "import subprocess as s; p = s.Popen(['sleep', '600'], start_new_session=True); p.wait()"
    code = f"""
import asyncio, sys
from pathlib import Path
from stack.layout import Layout
from stack.program import Program
from stack.supervisor import supervise
program = Program("worker", 1, (sys.executable, "-c", {child!r}), {{}}, lambda: True)
asyncio.run(supervise(Layout(Path(sys.argv[1]), 20000), [program]))
"""
    for folder in ("run", "log"):
        (tmp_path / folder).mkdir()
    supervisor = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], start_new_session=True)
    try:
        pid_file = tmp_path / "run" / "worker.pid"
        assert wait_until(lambda: pid_file.exists() and len(descendants(int(pid_file.read_text()))) == 1, 20)
        first = int(pid_file.read_text())
        left = identify(descendants(first)[0])
        assert left and left.alive
        os.kill(first, signal.SIGKILL)
        assert wait_until(lambda: pid_file.exists() and int(pid_file.read_text()) != first, 20)
        assert not left.alive
    finally:
        supervisor.terminate()
        assert supervisor.wait(20) == 0
    assert not pid_file.exists()


def test_a_taken_port_is_named_together_with_the_way_out(tmp_path: Path) -> None:
    layout = Layout(tmp_path, free_port_base())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", layout.ports["s3"]))
        taken.listen()
        with pytest.raises(StackError, match=rf"port {layout.ports['s3']} \(s3\).*PORT_BASE"):
            lifecycle.up(layout, say=lambda _: None)
    assert not layout.run.exists()


def test_a_service_that_does_not_start_is_shown_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_NO_SUCH_SETTING", "1")
    layout = Layout(tmp_path, free_port_base())
    with pytest.raises(StackError, match="MILLRACE_NO_SUCH_SETTING"):
        lifecycle.up(layout, say=lambda _: None)
    assert lifecycle.rows(tmp_path) == []
    assert list(layout.run.iterdir()) == []
    assert not layout.env_file.exists()


def test_a_program_that_runs_but_does_not_work_is_started_again(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from pathlib import Path
import stack.supervisor
from stack.layout import Layout
from stack.program import Program
stack.supervisor._HEALTH_INTERVAL = 0.05
ill = Path(sys.argv[1]) / "ill"
sleeping = (sys.executable, "-c", "import time; time.sleep(600)")
program = Program("server", 1, sleeping, {}, lambda: True, healthy=lambda: not ill.exists(), patience=0.2)
asyncio.run(stack.supervisor.supervise(Layout(Path(sys.argv[1]), 20000), [program]))
"""
    for folder in ("run", "log"):
        (tmp_path / folder).mkdir()
    supervisor = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], start_new_session=True)

    def record() -> Record | None:
        return read_records(tmp_path / "run").get("server")

    try:
        assert wait_until(lambda: (found := record()) is not None and found.ready, 20)
        first = record()
        (tmp_path / "ill").touch()
        assert wait_until(lambda: (found := record()) is not None and found.restarts >= 1, 20)
        (tmp_path / "ill").unlink()
        assert first and not first.process.alive
    finally:
        supervisor.terminate()
        assert supervisor.wait(20) == 0

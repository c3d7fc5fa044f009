"""Real servers for tests: NATS and PostgreSQL out of their wheels, on free loopback ports, in folders that go away again.

    with nats_server() as nats:            # or: async with
        client = await nats.connect()      # nats.url
        nats.kill(); nats.start()          # the same port, the same data

    with postgres_server() as postgres:
        url = postgres.new_database()      # a fresh, empty database

Both are ready when the block begins and gone when it ends.
"""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import nats as nats_client
from nats.aio.client import Client

from stack.probes import http_ok, postgres_accepts
from stack.program import installed, postgres_command
from tests.support.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0


class Server:
    """A server process with a folder of its own; it can be stopped, killed and started again on the same port."""

    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="millrace-test-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._mourner: subprocess.Popen[bytes] | None = None

    def argv(self) -> list[str]:
        """The command line."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it answers."""
        raise NotImplementedError

    def prepare(self) -> None:
        """What has to be done once, before the first start."""

    def start(self) -> None:
        """Start it, and return when it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=REPOSITORY, start_new_session=True
            )
        self._mourner = _kill_when_we_are_gone(self._process.pid, self.folder)
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = (self.folder / "server.log").read_text(errors="replace")[-3000:]
                self.kill()
                raise RuntimeError(f"{type(self).__name__} does not start:\n{text}")
            time.sleep(0.02)

    @property
    def running(self) -> bool:
        """Whether the process has not ended, by itself or otherwise."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process, "it is not running"
        return self._process.pid

    def stop(self) -> None:
        """Ask it to stop, and wait for its end."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """SIGKILL it, with everything that it has started."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        mourner, self._mourner = self._mourner, None
        if mourner:
            mourner.kill()
            mourner.communicate()
        if number == signal.SIGKILL:
            # It may have ended by itself, which is for its log to explain.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=15)

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.__exit__)


class NatsServer(Server):
    """NATS with JetStream."""

    def __init__(self) -> None:
        super().__init__()
        self.http_port = free_port()

    @property
    def url(self) -> str:
        """Its address, without credentials since it wants none."""
        return f"nats://127.0.0.1:{self.port}"

    async def connect(self) -> Client:
        """A new connection; whoever asked closes it."""
        return await nats_client.connect(self.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)

    def argv(self) -> list[str]:
        where = ["--addr", "127.0.0.1", "--port", str(self.port), "--http_port", str(self.http_port)]
        return [installed("nats-server"), *where, "--jetstream", "--store_dir", str(self.folder / "store")]

    def ready(self) -> bool:
        return http_ok(self.http_port, "/healthz")


class PostgresServer(Server):
    """PostgreSQL without durability, which a test's data does not need."""

    stop_signal = signal.SIGINT

    def prepare(self) -> None:
        self._home.mkdir()
        _run(
            self._as_user(
                "initdb",
                "-D",
                str(self._cluster),
                "--username=millrace",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--locale=C.UTF-8",
                "--no-sync",
            )
        )

    def argv(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "timezone": "UTC",
            "max_connections": "50",
            "shared_buffers": "32MB",
        }
        return self._as_user(
            "postgres", "-D", str(self._cluster), *(f"--{name}={value}" for name, value in options.items())
        )

    def ready(self) -> bool:
        return postgres_accepts(self.port)

    def new_database(self) -> str:
        """Make an empty database.

        Returns:
            its address.
        """
        name = f"test_{secrets.token_hex(6)}"
        _run(
            [
                postgres_command("createdb"),
                "-h",
                "127.0.0.1",
                "-p",
                str(self.port),
                "-U",
                "millrace",
                "-O",
                "millrace",
                "--maintenance-db=postgres",
                name,
            ]
        )
        return f"postgresql://millrace@127.0.0.1:{self.port}/{name}"

    @property
    def _home(self) -> Path:
        return self.folder / "postgres"

    @property
    def _cluster(self) -> Path:
        return self._home / "data"

    def _as_user(self, program: str, *arguments: str) -> list[str]:
        command = [postgres_command(program), *arguments]
        if os.geteuid() != 0:
            return command
        return [sys.executable, "-m", "stack.unprivileged", "--owns", str(self._home), "--", *command]


def _kill_when_we_are_gone(group: int, folder: Path) -> subprocess.Popen[bytes]:
    """Tests that are killed clean nothing up, so somebody else waits for their end: that of the pipe that they hold."""
    script = 'read nothing; kill -s KILL -- "-$0"; rm -rf "$1"'
    return subprocess.Popen(
        ["/bin/sh", "-c", script, str(group), str(folder)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def nats_server() -> NatsServer:
    """A NATS server for a ``with`` or ``async with`` block."""
    return NatsServer()


def postgres_server() -> PostgresServer:
    """A PostgreSQL server for a ``with`` or ``async with`` block."""
    return PostgresServer()


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, cwd=REPOSITORY, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed:\n{done.stdout}{done.stderr}")

"""A whole stack for end-to-end tests: the one that ``make up`` starts, in a folder and on ports of its own.

with running_stack(tmp_path, transcoders=3, env={"MILLRACE_LEASE_SECONDS": "2"}) as stack:      # or: async with
    stack.env["API_URL"]               # everything that <state>/env says
    former = stack.kill("transcoder-1")
    stack.wait_restarted("transcoder-1", former)
"""

import asyncio
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from shared.events import Event
from stack import envfile, lifecycle
from stack.credentials import Credentials, load_or_create
from stack.layout import WORKSPACE_BUCKET, Layout
from stack.processes import Identity, Record, descendants, identify, read_records, wait_until
from stack.program import postgres_command
from tests.support.observe import job_events
from tests.support.ports import free_port_base
from tests.support.walk import below

QUICK = {
    # Short, so that the work of a killed worker moves on within seconds.
    "MILLRACE_LEASE_SECONDS": "5",
    # Nothing is left of any job; who tries retries sets it.
    "MILLRACE_UPLOADER_KEEP_FOR_RETRY_SECONDS": "0",
}


class RunningStack:
    """A stack under a test's control; up inside of a ``with`` or ``async with`` block."""

    def __init__(self, layout: Layout, settings: Mapping[str, str]) -> None:
        self.layout = layout
        self._settings = dict(settings)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop()
        # Each service has a user of its own: what it may not do, it must not need.
        assert kind or not self.refusals(), self.refusals()[:5]

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await asyncio.to_thread(self.__exit__, kind)

    @property
    def state_dir(self) -> Path:
        """Where everything of the stack lies: ``workspace``, ``log``, ``s3``, ``run``."""
        return self.layout.state

    @property
    def env(self) -> dict[str, str]:
        """What ``<state>/env`` says: ``API_URL``, ``ORG_ID``, ``API_TOKEN``, ``S3_…``, ``NATS_URL`` and others."""
        return envfile.read(self.layout.env_file)

    def start(self) -> None:
        """Bring it up; returns when all of it is ready."""
        with _environment(self._settings):
            lifecycle.up(self.layout, say=_silence)

    def stop(self) -> None:
        """Take it down; its data stays."""
        lifecycle.down(self.layout.state, say=_silence)

    def another_organization(self, name: str) -> dict[str, str]:
        """Make a further organization with a user, a token and the stack's bucket; its ``env``."""
        fresh, own = Credentials(), load_or_create(self.state_dir)
        account = replace(own, api_username=name, api_password=fresh.api_password, api_token=fresh.api_token)
        return envfile.variables(self.layout, account, lifecycle.bootstrap(self.layout, account, name))

    def record(self, name: str) -> Record | None:
        """What the supervisor knows of a program (``nats``, ``postgres``, ``s3``, ``api``, ``transcoder-1``, …)."""
        return read_records(self.layout.run).get(name)

    def process(self, name: str) -> Identity:
        """The living process of a program; it is waited for if it is just being started again."""
        self.wait_until(lambda: (found := self.record(name)) is not None and found.process.alive, f"{name} runs", 20)
        found = self.record(name)
        assert found
        return found.process

    def pid(self, name: str) -> int:
        """Pid of a program's own process."""
        return self.process(name).pid

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> Identity:
        """Send a signal to a program's own process; answers which process that was."""
        process = self.process(name)
        process.send(number)
        return process

    def wait_restarted(self, name: str, former: Identity, seconds: float = 30) -> Identity:
        """Wait until a program runs as another process than the former one and is ready; answers which."""

        def restarted() -> bool:
            record = self.record(name)
            return record is not None and record.process != former and record.process.alive and record.ready

        self.wait_until(restarted, f"{name} is started again", seconds)
        return self.process(name)

    def wait_ready(self, *names: str, seconds: float = 30) -> None:
        """Wait until the programs, by default all, answer that they are ready."""
        programs = {program.name: program for program in lifecycle.programs(self.layout)}
        for name in names or programs:
            self.wait_until(programs[name].ready, f"{name} is ready:\n{lifecycle.tail(self.layout, name)}", seconds)

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
        """Wait until a condition holds.

        Raises:
            AssertionError: it does not hold within the time.
        """
        assert wait_until(condition, seconds), f"not within {seconds:.0f} s: {what}"

    def processes(self) -> list[Identity]:
        """The supervisor and every process below it."""
        supervisor = lifecycle.supervisor_of(self.layout)
        if supervisor is None:
            return []
        below = map(identify, descendants(supervisor.process.pid))
        return [supervisor.process, *filter(None, below)]

    def log(self, name: str) -> str:
        """All that a program has written."""
        path = self.layout.log / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def refusals(self) -> list[str]:
        """What NATS has refused to somebody for lack of permission."""
        lines = (line for name in self.layout.nats_nodes for line in self.log(name).splitlines())
        return [line for line in lines if "Violation" in line]

    def events(self, job: str, kind: str = "") -> list[Event]:
        """The events of a job of the stack's own organization, in the log's order; only those of a kind, if one is given.

        For tests without an event loop; others ask ``tests.support.observe.job_events``.
        """
        found = asyncio.run(job_events(self.env["NATS_URL"], self.env["ORG_ID"], job))
        return [event for event in found if not kind or event.token().partition(".")[0] == kind]

    def encodes_of(self, job: str) -> Counter[str]:
        """How often ffmpeg was started for each part of a job, as the transcoders have logged it."""
        counted: Counter[str] = Counter()
        for name in self.layout.services:
            if name.startswith("transcoder-"):
                lines = (json.loads(line) for line in self.log(name).splitlines() if line.startswith("{"))
                runs = (line for line in lines if line.get("event") == "ffmpeg" and line.get("job") == job)
                counted.update(line["work"].partition(".")[2] for line in runs)
        return counted

    def workspace_files(self, job: str) -> list[Path]:
        """What lies in the work space or a scratch folder for a job, of whichever organization."""
        roots = (self.layout.workspace, self.state_dir / "scratch", self.layout.objects / WORKSPACE_BUCKET)
        found = (path for root in roots if root.exists() for path in below(root))
        return [path for path in found if job in str(path) and path.is_file()]

    def dump_database(self) -> str:
        """The whole database as SQL."""
        url = urlsplit(self.env["DATABASE_URL"])
        where = f"{url.scheme}://{url.username}@{url.hostname}:{url.port}{url.path}"
        argv = [postgres_command("pg_dump"), "--inserts", "--dbname", where]
        environment = os.environ | {"PGPASSWORD": str(url.password)}
        return subprocess.run(argv, capture_output=True, text=True, check=True, env=environment).stdout


def running_stack(
    state_dir: Path,
    port_base: int | None = None,
    transcoders: int = 1,
    env: Mapping[str, str] | None = None,
    nats: int = 1,
    nats_tls: bool = False,
    workspace_in: str = "folder",
) -> RunningStack:
    """A stack for a ``with`` or ``async with`` block.

    Args:
        port_base: by default where a hundred ports are free.
        env: ``MILLRACE_…`` settings for its services, beside those in ``QUICK``.
        nats: how many servers NATS has. nats_tls: whether they are spoken to by TLS.
        workspace_in: where the work space is, ``folder`` or ``s3``.
    """
    layout = Layout(
        state_dir, port_base or free_port_base(), transcoders, nats, nats_tls=nats_tls, workspace_in=workspace_in
    )
    return RunningStack(layout, QUICK | dict(env or {}))


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    # The services inherit the settings from the process that brings the stack up.
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _silence(_text: str) -> None:
    pass

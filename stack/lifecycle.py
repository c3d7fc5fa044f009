"""Bring a stack up, take it down, tell how it is."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stack import envfile
from stack.credentials import Credentials, load_or_create, write_private
from stack.layout import REPOSITORY, Layout, StackError
from stack.probes import http_ok, port_is_free
from stack.processes import Record, read_records, stop_with_descendants, wait_until
from stack.program import Program
from stack.servers import prepare, servers
from stack.services import environment, services
from stack.supervisor import NAME as SUPERVISOR
from stack.targets import write_targets

READY_SECONDS = 90.0
_MOST_RESTARTS = 3
Say = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """A line of ``ps``."""

    name: str
    pid: int | None
    state: str
    restarts: int
    ready: bool
    port: int


def up(layout: Layout, say: Say = print) -> None:
    """Start the stack; return when all of it is ready and ``<state>/env`` is written. A running one is left as it is.

    Only its own user can read what is in the state directory.

    Raises:
        StackError: it did not get ready (then nothing of it is left running), or one with other choices runs.
    """
    layout.state.mkdir(parents=True, exist_ok=True)
    with _alone(layout):
        if supervisor_of(layout):
            _compare(layout, running_layout(layout.state))
            _wait_until_ready(layout)
            say(f"Millrace is already up at {layout.api_url}")
            return
        _stop_leftovers(layout)
        _check_ports(layout)
        # Also one of an earlier version, which everybody could look into.
        layout.state.chmod(0o700)
        credentials = load_or_create(layout.state)
        prepare(layout, credentials)
        begun = time.monotonic()
        try:
            _start_supervisor(layout)
            _wait_until_ready(layout, "api")
            organization = _known_organization(layout, credentials) or bootstrap(layout, credentials)
            _wait_until_ready(layout)
        except BaseException:
            say("Not ready: stopping what was started.")
            _stop(layout)
            raise
        envfile.write(layout.env_file, envfile.variables(layout, credentials, organization))
        write_targets(layout)
        seconds = time.monotonic() - begun
        say(f"Millrace is up at {layout.api_url} after {seconds:.1f} s; {layout.env_file} says how to reach it")
        say(f"The console: {layout.api_url}/console/, with API_USERNAME and API_PASSWORD out of that file")
        say(
            f"Metrics for Prometheus: http://127.0.0.1:{layout.health_ports['api']}/metrics; all in {layout.targets_file}"
        )


def down(state: Path, say: Say = print) -> None:
    """Stop everything that runs for this state directory, services first. The data stays."""
    layout = running_layout(state)
    if not layout.run.exists():
        say("Nothing is running.")
        return
    with _alone(layout):
        say("Millrace is down; its data stays." if _stop(layout) else "Nothing is running.")


def rows(state: Path) -> list[Row]:
    """The state of every program as it is now; empty when the stack is down."""
    layout = running_layout(state)
    records = read_records(layout.run)
    if not any(record.process.alive for record in records.values()):
        return []
    return [_row(program, records.get(program.name)) for program in programs(layout)]


def programs(layout: Layout) -> list[Program]:
    """Everything that the supervisor runs."""
    credentials = load_or_create(layout.state)
    return servers(layout, credentials) + services(layout, credentials)


def supervisor_of(layout: Layout) -> Record | None:
    """The living supervisor of this state directory."""
    record = read_records(layout.run).get(SUPERVISOR)
    return record if record and record.process.alive else None


def running_layout(state: Path) -> Layout:
    """The layout that the stack in this state directory was started with; the default one if it is not up."""
    with suppress(FileNotFoundError, ValueError):
        return Layout(state, **json.loads(Layout(state).choices_file.read_text()))
    return Layout(state)


def _row(program: Program, record: Record | None) -> Row:
    if record is None or not record.process.alive:
        return Row(program.name, None, "down", record.restarts if record else 0, ready=False, port=program.port)
    return Row(program.name, record.process.pid, "running", record.restarts, program.ready(), program.port)


def _compare(wanted: Layout, running: Layout) -> None:
    differing = [
        f"{name}={now}"
        for name, now, then in (
            ("TRANSCODERS", running.transcoders, wanted.transcoders),
            ("PORT_BASE", running.port_base, wanted.port_base),
            ("NATS_NODES", running.nats, wanted.nats),
            ("WORKSPACE", running.workspace_in, wanted.workspace_in),
            ("NATS_TLS", int(running.nats_tls), int(wanted.nats_tls)),
        )
        if now != then
    ]
    if differing:
        raise StackError(f"Millrace is already up with {' and '.join(differing)}; `make down` first to change that")


def _check_ports(layout: Layout) -> None:
    taken = [f"{port} ({name})" for name, port in layout.ports.items() if not port_is_free(port)]
    if taken:
        raise StackError(
            f"Already in use by another program: port {', '.join(taken)}. "
            f"Choose other ports, for example `make up PORT_BASE={layout.port_base + 1000}`"
        )


def _start_supervisor(layout: Layout) -> None:
    choices: dict[str, object] = {"port_base": layout.port_base, "transcoders": layout.transcoders, "nats": layout.nats}
    choices["nats_tls"] = layout.nats_tls
    choices["workspace_in"] = layout.workspace_in
    write_private(layout.choices_file, json.dumps(choices))
    argv = [sys.executable, "-m", "stack", "supervise", "--state-dir", str(layout.state)]
    log = layout.log / f"{SUPERVISOR}.log"
    log.touch(0o600)
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=REPOSITORY,
            start_new_session=True,
            # All that the programs write is for nobody else.
            umask=0o077,
        )
    wait_until(lambda: supervisor_of(layout) is not None or process.poll() is not None, 10)
    if not supervisor_of(layout):
        raise StackError(f"The supervisor did not start:\n{tail(layout, SUPERVISOR)}")


def _wait_until_ready(layout: Layout, *names: str) -> None:
    """Wait for the programs named, or for all.

    Raises:
        StackError: with the end of the log of what is not ready, when the time is over or it dies again and again.
    """
    wanted = set(names or [program.name for program in programs(layout)])
    deadline = time.monotonic() + READY_SECONDS
    while True:
        records = read_records(layout.run)
        waiting = sorted(wanted - {name for name, record in records.items() if record.ready and record.process.alive})
        if not waiting:
            return
        if not supervisor_of(layout):
            raise StackError(f"The supervisor has died:\n{tail(layout, SUPERVISOR)}")
        dying = [name for name in waiting if name in records and records[name].restarts >= _MOST_RESTARTS]
        if dying:
            raise StackError(f"{dying[0]} does not stay up. The end of its log:\n{tail(layout, dying[0])}")
        if time.monotonic() > deadline:
            late = ", ".join(waiting)
            raise StackError(f"Not ready within {READY_SECONDS:.0f} s: {late}. {_log_ends(layout, waiting)}")
        time.sleep(0.05)


def _known_organization(layout: Layout, credentials: Credentials) -> str | None:
    """The organization of an earlier start, if nothing about it has changed; asking is much quicker than making sure."""
    if not layout.env_file.exists():
        return None
    before = envfile.read(layout.env_file)
    organization = before.get("ORG_ID", "")
    same = before == envfile.variables(layout, credentials, organization)
    path = f"/api/v1/{organization}/transcoding_jobs/?page_size=1"
    known = same and http_ok(layout.ports["api"], path, timeout=5, token=credentials.api_token)
    return organization if known else None


def bootstrap(
    layout: Layout, credentials: Credentials, name: str = "Embedded stack", *, tree: Path = REPOSITORY
) -> str:
    """Make sure that an organization with the credentials' user and token is there; answers its code.

    Args:
        tree: the checkout whose api this is.

    Raises:
        StackError: the api's admin command failed.
    """
    request = {
        "org_name": name,
        "username": credentials.api_username,
        "password": credentials.api_password,
        "token": credentials.api_token,
        "storage_url": credentials.storage_url(layout),
        # Whoever has started the stack is who runs it.
        "operator": True,
    }
    done = subprocess.run(
        [sys.executable, "-m", "services.api.admin", "bootstrap"],
        # On standard input, because a command line is open to every user of the machine.
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env=environment("api", layout, credentials, os.environ),
        cwd=tree,
        check=False,
        timeout=60,
    )
    if done.returncode != 0:
        raise StackError(f"The organization could not be made:\n{done.stderr[-2000:]}")
    return str(json.loads(done.stdout.splitlines()[-1])["org_id"])


def _stop(layout: Layout) -> bool:
    """Stop supervisor and programs; whether any was there."""
    supervisor = supervisor_of(layout)
    if supervisor:
        # It gives each program its own time; twice the longest is more than both waves can take.
        longest = max(program.grace for program in programs(layout))
        supervisor.process.send(signal.SIGTERM)
        wait_until(lambda: not supervisor.process.alive, 2 * longest + 10)
    left = _stop_leftovers(layout)
    layout.choices_file.unlink(missing_ok=True)
    return bool(supervisor) or left


def _stop_leftovers(layout: Layout) -> bool:
    """Stop what a killed supervisor left running, services before servers; whether there was any."""
    records = {name: record for name, record in read_records(layout.run).items() if record.process.alive}
    if supervisor := records.pop(SUPERVISOR, None):
        supervisor.process.send(signal.SIGKILL)
    if records:
        known = {program.name: program for program in programs(running_layout(layout.state))}
        servers_last = sorted(records, key=lambda name: name in known and not known[name].after)
        for name in servers_last:
            program = known.get(name)
            number, grace = (program.stop_signal, program.grace) if program else (signal.SIGTERM, 10)
            stop_with_descendants(records[name].process, number, grace)
    for path in layout.run.glob("*") if layout.run.exists() else ():
        path.unlink(missing_ok=True)
    return bool(records)


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """Hold off every other `up` and `down` of this state directory."""
    path = layout.state / "lock"
    path.touch(0o600)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another `make up` or `make down` of this state directory …", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tail(layout: Layout, name: str, lines: int = 15) -> str:
    """The last lines of a program's log, indented."""
    try:
        text = (layout.log / f"{name}.log").read_text(errors="replace")
    except FileNotFoundError:
        return "    (no log)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def _log_ends(layout: Layout, names: list[str]) -> str:
    return "".join(f"\nThe end of the log of {name}:\n{tail(layout, name)}" for name in names[:3])

"""The servers that the services stand on: NATS, PostgreSQL, and S3 with a gateway for players."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from stack.credentials import Credentials, write_private
from stack.layout import BUCKET, REPOSITORY, WORKSPACE_BUCKET, Layout, StackError
from stack.nats import nats_programs, prepare_nats
from stack.probes import http_answers, postgres_accepts
from stack.program import Program, installed, plain_environment, postgres_command


def servers(layout: Layout, credentials: Credentials) -> list[Program]:
    """All servers of a stack that was prepared."""
    return [*nats_programs(layout, credentials), _postgres(layout), _s3(layout, credentials), _playback(layout)]


def prepare(layout: Layout, credentials: Credentials) -> None:
    """Make what the servers need before they start; what is there already stays.

    Raises:
        StackError: PostgreSQL could not make its data directory, or NATS cannot take over what is there.
    """
    prepare_nats(layout, credentials)
    buckets = (layout.objects / BUCKET, layout.objects / WORKSPACE_BUCKET)
    for folder in (layout.run, layout.log, layout.workspace, layout.objects, *buckets):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    _create_database(layout, credentials)


def _postgres(layout: Layout) -> Program:
    port = layout.ports["postgres"]
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        # A socket's path is limited to 107 bytes, which a state directory deep in a tree would pass.
        "unix_socket_directories": "",
        "timezone": "UTC",
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return Program(
        name="postgres",
        port=port,
        argv=_as_postgres_user(layout, "postgres", "-D", str(_cluster(layout)), *settings),
        env=plain_environment(),
        ready=lambda: postgres_accepts(port),
        # "Fast": connections are cut and the data written out; SIGTERM would wait for the clients to go.
        stop_signal=signal.SIGINT,
        grace=30,
    )


def _create_database(layout: Layout, credentials: Credentials) -> None:
    if _cluster(layout).exists():
        return
    home = layout.state / "postgres"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    password = home / "password"
    write_private(password, credentials.postgres_password)
    # Made under another name, so that a half-made one is never taken for a whole one.
    unfinished = home / "unfinished"
    who = ("--username=millrace", f"--pwfile={password}", "--auth=scram-sha-256")
    how = ("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8")
    _run(_as_postgres_user(layout, "initdb", "-D", str(unfinished), *who, *how))
    alone = ("--single", "-D", str(unfinished), "postgres")
    _run(_as_postgres_user(layout, "postgres", *alone), text="CREATE DATABASE millrace;\n")
    password.unlink()
    unfinished.rename(_cluster(layout))


def _run(argv: tuple[str, ...], text: str = "") -> None:
    env = plain_environment()
    # A session of its own: Ctrl-C at the terminal must not leave a half-made cluster behind a program that ignores it.
    done = subprocess.run(
        argv, input=text, capture_output=True, text=True, env=env, cwd=REPOSITORY, check=False, start_new_session=True
    )
    if done.returncode != 0:
        raise StackError(f"PostgreSQL's data directory could not be made:\n{done.stdout}{done.stderr}".rstrip())


def _cluster(layout: Layout) -> Path:
    return layout.state / "postgres" / "data"


def _as_postgres_user(layout: Layout, program: str, *arguments: str) -> tuple[str, ...]:
    command = (postgres_command(program), *arguments)
    if os.geteuid() != 0:
        return command
    return (sys.executable, "-m", "stack.unprivileged", "--owns", str(layout.state / "postgres"), "--", *command)


def _s3(layout: Layout, credentials: Credentials) -> Program:
    # The value is a line of CSV with one quoted field; on the command line everybody could read it.
    key = {"RCLONE_AUTH_KEY": f'"{credentials.s3_access_key},{credentials.s3_secret_key}"'}
    port = layout.ports["s3"]
    return Program(
        name="s3",
        port=port,
        # Pages of the api, at another port, send uploads there and play what lies there.
        argv=_rclone(layout, "serve", "s3", f"--addr=127.0.0.1:{port}", "--allow-origin=*"),
        env=plain_environment() | key,
        ready=lambda: http_answers(port),
    )


def _playback(layout: Layout) -> Program:
    port = layout.ports["playback"]
    # No directory cache: the folder changes through another process, and what is there must be seen at once.
    options = ("--read-only", "--dir-cache-time=0s", "--allow-origin=*", f"--exclude=/{WORKSPACE_BUCKET}/**")
    return Program(
        name="playback",
        port=port,
        argv=_rclone(layout, "serve", "http", f"--addr=127.0.0.1:{port}", *options),
        env=plain_environment(),
        ready=lambda: http_answers(port),
    )


def _rclone(layout: Layout, *arguments: str) -> tuple[str, ...]:
    own_places = ("--config=/dev/null", f"--cache-dir={layout.state / 'rclone'}")
    return (installed("rclone"), *arguments, *own_places, str(layout.objects))

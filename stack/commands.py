"""The commands of the embedded stack, for ``millrace`` and for ``python -m stack``. ``make`` gives its choices by environment.

What they need is imported when they run, so that a list of commands is there at once.
"""

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

from shared.system import why_no_stack
from stack.layout import DEFAULT_PORT_BASE, MOST_TRANSCODERS, Layout, StackError

if TYPE_CHECKING:
    from stack.lifecycle import Row

P = ParamSpec("P")
FAILED = 1
INTERRUPTED = 130
STATE_DIR = Path(".millrace")

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Millrace's embedded stack.")


def _choice(variable: str, text: str) -> Any:
    return typer.Option(envvar=variable, help=text)


StateDir = Annotated[Path, _choice("STATE_DIR", "Where data, logs and pid files lie.")]
PortBase = Annotated[int, _choice("PORT_BASE", "The first of a hundred ports.")]
Transcoders = Annotated[int, _choice("TRANSCODERS", f"How many transcoders, {MOST_TRANSCODERS} at most.")]
NatsNodes = Annotated[int, _choice("NATS_NODES", "How many servers NATS has: 1, or 3 for a cluster.")]
NatsTls = Annotated[bool, typer.Option("--nats-tls", envvar="NATS_TLS", help="TLS with NATS.")]
Workspace = Annotated[str, _choice("WORKSPACE", "Where the work space is: folder, or s3.")]
_ANYWAY = "Measure on a busy machine as well, without ratios to quote."
_RECORD = "Write the report to docs/benchmarks instead of the state directory."
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def command(work: Callable[P, int | None]) -> Callable[P, None]:
    """A command that answers its exit status; what cannot be done is a sentence on standard error and exit status 1."""

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        # A start that is told to end cleans up after itself, as it does on Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            if reason := why_no_stack():
                raise StackError(reason)
            status = work(*args, **kwargs)
        except StackError as error:
            print(f"error: {error}", file=sys.stderr)
            status = FAILED
        except KeyboardInterrupt:
            status = INTERRUPTED
        raise typer.Exit(status or 0)

    return run


@app.command()
@command
def up(
    state_dir: StateDir = STATE_DIR,
    port_base: PortBase = DEFAULT_PORT_BASE,
    transcoders: Transcoders = 1,
    nats_nodes: NatsNodes = 1,
    nats_tls: NatsTls = False,
    workspace: Workspace = "folder",
    as_json: Json = False,
) -> None:
    """Start everything in the background. How to reach it is then in the file env of the state directory."""
    from stack import envfile, lifecycle

    layout = Layout(state_dir.absolute(), port_base, transcoders, nats_nodes, nats_tls, workspace)
    lifecycle.up(layout, say=_silence if as_json else print)
    if as_json:
        found = envfile.read(layout.env_file)
        print(json.dumps({"api_url": found["API_URL"], "org": found["ORG_ID"], "env_file": str(layout.env_file)}))


@app.command()
@command
def down(state_dir: StateDir = STATE_DIR) -> None:
    """Stop everything; the data stays."""
    from stack import lifecycle

    lifecycle.down(state_dir.absolute())


@app.command()
@command
def ps(state_dir: StateDir = STATE_DIR, as_json: Json = False) -> None:
    """Show the processes of the stack."""
    from stack import lifecycle

    state = state_dir.absolute()
    rows = lifecycle.rows(state)
    if as_json:
        for row in rows:
            print(json.dumps(asdict(row)))
        return
    _print_rows(rows)
    if rows and not lifecycle.supervisor_of(lifecycle.running_layout(state)):
        print("The supervisor is dead, so nothing is started again: run `make up`.")


@app.command()
@command
def logs(
    service: Annotated[str, _choice("SERVICE", "Of this program only; transcoder means all of them.")] = "",
    state_dir: StateDir = STATE_DIR,
) -> None:
    """Follow all logs, or those of one program."""
    from stack.lifecycle import running_layout
    from stack.logs import follow

    # The end of `make logs | head` is no error.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    follow(running_layout(state_dir.absolute()), service)


@app.command()
@command
def demo(
    video: Annotated[str, _choice("VIDEO", "Path or URL of another video than a clip that is made here.")] = "",
    state_dir: StateDir = STATE_DIR,
    port_base: PortBase = DEFAULT_PORT_BASE,
    transcoders: Transcoders = 1,
    nats_nodes: NatsNodes = 1,
    nats_tls: NatsTls = False,
    workspace: Workspace = "folder",
) -> int:
    """Transcode a clip, or another video, and watch it being done."""
    import asyncio

    from stack.demo import demo as show

    layout = Layout(state_dir.absolute(), port_base, transcoders, nats_nodes, nats_tls, workspace)
    return asyncio.run(show(layout, video or None))


@app.command()
@command
def bench(
    clip: Annotated[str, _choice("CLIP", "Path of another clip than one that is made here.")] = "",
    rounds: Annotated[int, _choice("ROUNDS", "How often each way is run, by turns.")] = 3,
    seed: Annotated[
        str, _choice("SEED", "A number that decides which way begins; by default it is left to chance.")
    ] = "",
    anyway: Annotated[bool, typer.Option("--anyway", envvar="ANYWAY", help=_ANYWAY)] = False,
    record: Annotated[bool, typer.Option("--record", envvar="RECORD", help=_RECORD)] = False,
    state_dir: StateDir = STATE_DIR,
    port_base: PortBase = DEFAULT_PORT_BASE,
    transcoders: Transcoders = 1,
    nats_nodes: NatsNodes = 1,
    nats_tls: NatsTls = False,
    workspace: Workspace = "folder",
) -> int:
    """Measure a clip against plain ffmpeg, by turns. Ends with 1 where the machine is too busy for that."""
    import asyncio

    from stack.bench.run import Choices
    from stack.bench.run import bench as measure

    layout = Layout(state_dir.absolute(), port_base, transcoders, nats_nodes, nats_tls, workspace)
    if seed and not seed.isdecimal():
        raise StackError(f"SEED is a number, and not {seed}")
    choices = Choices(clip or None, rounds, int(seed) if seed else None, anyway, record)
    return asyncio.run(measure(layout, choices))


@app.command()
@command
def doctor(state_dir: StateDir = STATE_DIR, port_base: PortBase = DEFAULT_PORT_BASE, as_json: Json = False) -> int:
    """Find out what keeps a server from working, and what to do about it. Ends with 1 where something does not work."""
    import asyncio

    from stack.doctor.showing import show
    from stack.lifecycle import running_layout, supervisor_of

    layout = running_layout(state_dir.absolute())
    if not supervisor_of(layout):
        layout = Layout(state_dir.absolute(), port_base)
    return asyncio.run(show(layout, as_json=as_json))


@app.command(hidden=True)
@command
def supervise(state_dir: StateDir = STATE_DIR) -> None:
    """Be the supervisor of the stack whose choices are in the state directory."""
    import asyncio
    import logging

    from stack import lifecycle
    from stack.supervisor import supervise as keep_running

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    layout = lifecycle.running_layout(state_dir.absolute())
    asyncio.run(keep_running(layout, lifecycle.programs(layout)))


def _print_rows(rows: list["Row"]) -> None:
    if not rows:
        print("Nothing is running.")
        return
    print(f"{'NAME':<15}{'PID':>8}  {'STATE':<9}{'RESTARTS':>8}  {'READY':<6}{'PORT':>6}")
    for row in rows:
        ready = "yes" if row.ready else "no"
        print(f"{row.name:<15}{row.pid or '-':>8}  {row.state:<9}{row.restarts:>8}  {ready:<6}{row.port:>6}")


def _silence(_: str) -> None:
    """In place of what people are told."""

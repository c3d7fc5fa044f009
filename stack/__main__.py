"""The commands behind the Makefile."""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from shared.system import why_no_stack
from stack import lifecycle, logs
from stack.layout import DEFAULT_PORT_BASE, Layout, StackError
from stack.supervisor import supervise


def main() -> None:
    """Run one command; exit status 1 with a sentence on standard error when it can't be done."""
    options = _parser().parse_args()
    if reason := why_no_stack():
        sys.exit(f"error: {reason}")
    # A start that is told to end cleans up after itself, as it does on Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        layout = Layout(
            options.state_dir.absolute(),
            options.port_base,
            options.transcoders,
            options.nats_nodes,
            nats_tls=bool(options.nats_tls),
            workspace_in=options.workspace,
        )
        status = _run(options, layout)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stack", description="Millrace's embedded stack")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state-dir", type=Path, default=Path(".millrace"), help="where data, logs and pid files lie")
    common.add_argument("--port-base", type=int, default=DEFAULT_PORT_BASE, help="the first of a hundred ports")
    common.add_argument("--transcoders", type=int, default=1, help="how many transcoder processes")
    common.add_argument("--nats-nodes", type=int, default=1, help="how many servers NATS has: 1, or 3 for a cluster")
    common.add_argument("--workspace", default="folder", help="where the work space is: folder, or s3")
    common.add_argument("--nats-tls", type=int, default=0, choices=(0, 1), help="1 for TLS with NATS")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=[common], help=text)

    command("up", "start everything")
    command("down", "stop everything")
    command("ps", "show the processes")
    command("logs", "follow the logs").add_argument("--service", help="of one program only")
    command("demo", "transcode a video and watch").add_argument("--video", help="path or URL")
    command("bench", "measure against plain ffmpeg").add_argument("--clip", help="path")
    command("supervise", "be the supervisor")
    return parser


def _run(options: argparse.Namespace, layout: Layout) -> int:
    match options.command:
        case "up":
            lifecycle.up(layout)
        case "down":
            lifecycle.down(layout.state)
        case "ps":
            rows = lifecycle.rows(layout.state)
            _print_rows(rows)
            if rows and not lifecycle.supervisor_of(layout):
                print("The supervisor is dead, so nothing is started again: run `make up`.")
        case "logs":
            # The end of `make logs | head` is no error.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            logs.follow(layout, options.service)
        case "supervise":
            logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
            asyncio.run(supervise(layout, lifecycle.programs(layout)))
        case "demo":
            # Here and not above: its S3 client takes a second to import, which the other commands need not wait for.
            from stack.demo import demo

            return asyncio.run(demo(layout, options.video or None))
        case "bench":
            from stack.bench import bench

            return asyncio.run(bench(layout, options.clip or None))
    return 0


def _print_rows(rows: list[lifecycle.Row]) -> None:
    if not rows:
        print("Nothing is running.")
        return
    print(f"{'NAME':<15}{'PID':>8}  {'STATE':<9}{'RESTARTS':>8}  {'READY':<6}{'PORT':>6}")
    for row in rows:
        ready = "yes" if row.ready else "no"
        print(f"{row.name:<15}{row.pid or '-':>8}  {row.state:<9}{row.restarts:>8}  {ready:<6}{row.port:>6}")


if __name__ == "__main__":
    main()

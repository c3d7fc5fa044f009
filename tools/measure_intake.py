"""Measures intake: jobs that are accepted durably in a second, how long that takes, and what it costs whom.

    python -m tools.measure_intake --seconds 10
    python -m tools.measure_intake --against ../before      # another checkout, in turns with this one

It runs NATS with ``sync_interval: always``, PostgreSQL and the api, as the stack does, and nothing else: no worker takes the
jobs up. The clients are a process of their own on the same machine. For each number of clients and each checkout there are
several rounds in turns, of which the median is told; seconds of the processor depend little on what else the machine does.
Everything is removed in the end. docs/performance.md holds a run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from stack import lifecycle
from stack.credentials import Credentials, load_or_create
from stack.layout import REPOSITORY, Layout, StackError
from stack.processes import identify, stop_with_descendants, tree_cpu_seconds, wait_until
from stack.program import Program
from stack.servers import prepare, servers
from stack.services import services
from tools.intake_clients import Load

CLIENTS = (1, 32, 256)
PROGRAMS = ("nats", "postgres", "api")
_START_SECONDS = 60
# So that the quotas are counted, as they are by default, and never reached.
_UNLIMITED = {
    f"MILLRACE_API_MAX_{name}": "1000000000" for name in ("UNFINISHED_JOBS", "JOBS_PER_HOUR", "REQUESTS_PER_MINUTE")
}


@dataclass(frozen=True)
class Site:
    """The running programs of one checkout, by their names the pids."""

    name: str
    port: int
    org: str
    token: str
    pids: Mapping[str, int]

    def used(self) -> dict[str, float]:
        """CPU-seconds of each program since its start."""
        return {name: tree_cpu_seconds(pid) for name, pid in self.pids.items()}


@dataclass(frozen=True)
class Round:
    """One measurement: seconds, and milliseconds of the processor for each job by program."""

    rate: float
    p50: float
    p99: float
    visible_p50: float
    visible_p99: float
    cost: Mapping[str, float]
    refused: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.measure_intake", description=(__doc__ or "").partition(":")[0]
    )
    parser.add_argument("--seconds", type=float, default=10, help="length of a round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each checkout and number of clients")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, help="numbers of clients")
    parser.add_argument("--keys", action="store_true", help="send an Idempotency-Key with each job")
    parser.add_argument("--against", type=Path, help="another checkout of Millrace that is measured in turns")
    parser.add_argument("--port-base", type=int, default=29_300, help="the first of two hundred free ports")
    options = parser.parse_args()
    trees = {"this": REPOSITORY} | ({"other": options.against.resolve()} if options.against else {})
    with tempfile.TemporaryDirectory(prefix="millrace-measure-") as folder, ExitStack() as stack:
        sites = [
            stack.enter_context(site(name, tree, Layout(Path(folder) / name, options.port_base + 100 * number)))
            for number, (name, tree) in enumerate(trees.items())
        ]
        for each in sites:
            measure(each, 32, 2, keys=options.keys)
        rounds: dict[tuple[int, str], list[Round]] = {}
        for clients in options.clients:
            for _ in range(options.rounds):
                for each in sites:
                    found = measure(each, clients, options.seconds, keys=options.keys)
                    rounds.setdefault((clients, each.name), []).append(found)
        for line in report(rounds):
            print(line)
        for name in trees:
            refused = sum(found.refused for (_, each), every in rounds.items() if each == name for found in every)
            if refused:
                print(f"{refused} jobs were refused by the checkout {name}")
        print(f"load of the machine over the last 5 minutes: {os.getloadavg()[1]:.1f}")


@contextmanager
def site(name: str, tree: Path, layout: Layout) -> Iterator[Site]:
    """The servers and the api of a checkout, ready for jobs.

    Raises:
        StackError: a program does not get ready.
    """
    layout.state.mkdir(parents=True)
    credentials = load_or_create(layout.state)
    prepare(layout, credentials)
    with ExitStack() as stack:
        pids = {
            program.name: stack.enter_context(_running(program, tree, layout))
            for program in _programs(layout, credentials)
        }
        org = lifecycle.bootstrap(layout, credentials, tree=tree)
        yield Site(name, layout.ports["api"], org, credentials.api_token, pids)


def measure(at: Site, clients: int, seconds: float, *, keys: bool) -> Round:
    """One round.

    Raises:
        StackError: no job was accepted.
    """
    load = Load(at.port, at.org, at.token, clients, seconds, keys)
    before = at.used()
    argv = [sys.executable, "-m", "tools.intake_clients"]
    done = subprocess.run(
        argv, input=json.dumps(asdict(load)), capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    after, found = at.used(), json.loads(done.stdout)
    if not found["answered"]:
        raise StackError(f"{at.name}: all jobs were refused: {found['refused']}")
    jobs = len(found["answered"])
    cost = {name: 1000 * (after[name] - before[name]) / jobs for name in PROGRAMS}
    return Round(
        jobs / found["wall"],
        *_percentiles(found["answered"]),
        *_percentiles(found["visible"]),
        cost | {"clients": 1000 * found["cpu"] / jobs},
        sum(found["refused"].values()),
    )


def report(rounds: Mapping[tuple[int, str], Sequence[Round]]) -> Iterator[str]:
    """The medians as lines of a table in Markdown."""
    programs = ("api", "nats", "postgres", "clients")
    yield f"| clients | checkout | jobs/s | p50, ms | p99, ms | visible p50 | p99, ms | CPU ms a job: {' | '.join(programs)} |"
    yield "|---:|---|" + "---:|" * (5 + len(programs))
    for (clients, name), found in rounds.items():
        times = [
            1000 * median(values)
            for values in zip(
                *((each.p50, each.p99, each.visible_p50, each.visible_p99) for each in found), strict=True
            )
        ]
        costs = [median(each.cost[program] for each in found) for program in programs]
        rate = median(each.rate for each in found)
        cells = [f"{rate:.0f}", *(f"{value:.1f}" for value in times), *(f"{value:.2f}" for value in costs)]
        yield f"| {clients} | {name} | {' | '.join(cells)} |"


def _programs(layout: Layout, credentials: Credentials) -> list[Program]:
    every = [*servers(layout, credentials), *services(layout, credentials, {**os.environ, **_UNLIMITED})]
    return [program for name in PROGRAMS for program in every if program.name == name]


@contextmanager
def _running(program: Program, tree: Path, layout: Layout) -> Iterator[int]:
    log = layout.log / f"{program.name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            program.argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(program.env),
            # The servers are started by this checkout: what is measured is the api.
            cwd=tree if program.after else REPOSITORY,
            start_new_session=True,
        )
    identity = identify(process.pid)
    try:
        if not wait_until(lambda: program.ready() or process.poll() is not None, _START_SECONDS) or process.poll():
            raise StackError(f"{program.name} does not get ready:\n{lifecycle.tail(layout, program.name)}")
        yield process.pid
    finally:
        if identity:
            stop_with_descendants(identity, program.stop_signal, program.grace)
        process.wait()


def _percentiles(values: Sequence[float]) -> tuple[float, float]:
    """The median and the 99th percentile; of nothing it is nothing."""
    ordered = sorted(values) or [float("nan")]
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


if __name__ == "__main__":
    main()

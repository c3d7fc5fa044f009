"""Measures what an hour of video costs: CPU-seconds of each service, by profile and ladder.

    python -m tools.measure_cost --seconds 20

It runs a stack of its own, has a clip transcoded once for each row, and asks the kernel what every process of the stack used
meanwhile. Seconds of the processor depend little on what else the machine does. Everything is removed in the end.
docs/scaling.md holds a run.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stack import clips, envfile, lifecycle
from stack.client import Client, require_completed
from stack.layout import Layout
from stack.processes import read_records, tree_cpu_seconds
from stack.supervisor import NAME as SUPERVISOR

_WHOLE = ("240p", "480p", "720p", "1080p")
ROWS = (
    ("balanced", _WHOLE[:1]),
    ("balanced", _WHOLE[:3]),
    ("balanced", _WHOLE),
    ("fast", _WHOLE),
    ("quality", _WHOLE),
)
"""Profiles and ladders that are measured."""

SERVICES = ("fetcher", "transcoder", "uploader", "others")
_HOUR = 3600


@dataclass(frozen=True)
class Cost:
    """What a job took: CPU-seconds by service; the api, the notifier and all servers are ``others``."""

    profile: str
    ladder: Sequence[str]
    used: Mapping[str, float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the CPU-seconds that an hour of video costs")
    parser.add_argument("--clip", help="a video; one of a minute is made without it")
    parser.add_argument("--seconds", type=float, help="how much of it is taken, from its beginning")
    parser.add_argument("--port-base", type=int, default=29_100, help="the first of a hundred free ports")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="millrace-measure-") as name:
        clip = Path(options.clip) if options.clip else clips.make(clips.BENCH, Path(name))
        if options.seconds:
            whole, clip = clip, Path(name) / f"beginning{clip.suffix}"
            clips.run_ffmpeg(["-i", str(whole), "-t", str(options.seconds), "-c", "copy", str(clip)])
        layout = Layout(Path(name) / "state", options.port_base)
        lifecycle.up(layout)
        try:
            costs = asyncio.run(measure(layout, clip))
        finally:
            lifecycle.down(layout.state)
        for line in report(costs, clips.probe(clip).duration):
            print(line)


async def measure(layout: Layout, clip: Path) -> list[Cost]:
    """Have a clip transcoded in every way by a stack that has just been brought up.

    Raises:
        StackError: a job did not complete.
    """
    costs = []
    async with Client(envfile.read(layout.env_file)) as client:
        await client.upload(clip, "measured/source")
        for profile, ladder in ROWS:
            before = await asyncio.to_thread(_used, layout)
            place = f"measured/{profile}-{ladder[-1]}/"
            body = {"input_path": client.location("measured/source"), "output_path": client.location(place)}
            require_completed(await client.run({**body, "resolutions": list(ladder), "profile": profile}))
            after = await asyncio.to_thread(_used, layout)
            costs.append(Cost(profile, ladder, {name: after[name] - before[name] for name in SERVICES}))
    return costs


def report(costs: Sequence[Cost], seconds: float) -> Iterator[str]:
    """The figures as lines of a table in Markdown.

    Args:
        seconds: length of the clip.
    """
    yield f"| CPU-seconds for an hour of video | {' | '.join(SERVICES)} | cores at real time |"
    yield "|---|" + "---:|" * (len(SERVICES) + 1)
    for cost in costs:
        hourly = {name: used * _HOUR / seconds for name, used in cost.used.items()}
        figures = " | ".join(f"{hourly[name]:,.0f}" for name in SERVICES)
        yield f"| {cost.profile}, {', '.join(cost.ladder)} | {figures} | {sum(hourly.values()) / _HOUR:.2f} |"


def _used(layout: Layout) -> dict[str, float]:
    """CPU-seconds of every service since its start."""
    used = dict.fromkeys(SERVICES, 0.0)
    for name, record in read_records(layout.run).items():
        service = name.partition("-")[0]
        if service == SUPERVISOR:
            # All others are its children.
            continue
        used[service if service in used else "others"] += tree_cpu_seconds(record.process.pid)
    return used


if __name__ == "__main__":
    main()

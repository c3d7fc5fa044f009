"""Measures how long small jobs take, and which of their steps take how long, as Markdown tables.

    python -m tools.measure_latency --jobs 20

It runs a stack of its own with one transcoder, sends it jobs of one frame and of five seconds and some whose source is missing,
one after the other and by turns, and listens to the log: what lies between two events is the time of a step. Processor time is
that of all service processes and of what they start; it is the figure to go by on a machine that has other things to do. It is
a mean, since the kernel tells it in hundredths of a second. The least wall time comes nearest to what an idle machine would
give. Everything is removed in the end.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

from nats.aio.msg import Msg
from pydantic import SecretStr

from shared.bus.connection import connect
from shared.bus.subjects import split_job_subject
from stack import envfile, lifecycle
from stack.client import Client, require_completed
from stack.clips import run_ffmpeg
from stack.layout import Layout
from stack.processes import read_records, tree_cpu_seconds

RESOLUTION = "240p"
SAMPLES = {"one frame": 0.04, "5 s, 240p": 5.0}
"""Seconds of the clips at 25 frames a second."""

MISSING = "missing source"

# What a step ends with, and is called. The first event of a kind counts where a step begins, the last one where it ends.
_STEPS = {
    "created": "intake",
    "admitted": "admission",
    "started": "taken by a fetcher",
    "fetched": "fetch and plan",
    "part_requested": "parts requested",
    "part_transcoded": "transcode",
    "part_uploaded": "upload of parts",
    "end.completed": "finish",
    "end.failed": "failure",
}


@dataclass
class Times:
    """Of one kind of job: wall seconds of each job and of its steps, and seconds of processors by service."""

    total: list[float] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


class Listener:
    """Notes when which event of a job was stored."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._ended: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def heard(self, message: Msg) -> None:
        """An event has come over the feed."""
        _, job, token = split_job_subject(message.subject)
        kind = token if token.startswith("end.") else token.partition(".")[0]
        self._seen[job][kind].append(time.perf_counter())
        if token.startswith("end."):
            self._ended[job].set()

    async def ended(self, job: str) -> float:
        """Wait for the end of a job; when it came."""
        await asyncio.wait_for(self._ended[job].wait(), 60)
        return max(max(times) for times in self._seen[job].values())

    def steps(self, job: str, begun: float) -> Iterator[tuple[str, float]]:
        """The steps of a job with their seconds."""
        seen, before = self._seen[job], begun
        for kind, step in _STEPS.items():
            if kind in seen:
                yield step, max(seen[kind]) - before
                before = max(seen[kind])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure how long small jobs take")
    parser.add_argument("--jobs", type=int, default=20, help="of each kind")
    parser.add_argument("--port-base", type=int, default=29_000, help="the first of a hundred free ports")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="millrace-measure-") as name:
        layout = Layout(Path(name) / "state", options.port_base)
        clips = {label: _clip(Path(name) / f"{seconds}.mp4", seconds) for label, seconds in SAMPLES.items()}
        clips[MISSING] = Path(name) / "missing.mp4"
        lifecycle.up(layout)
        try:
            found = asyncio.run(measure(layout, clips, options.jobs))
        finally:
            lifecycle.down(layout.state)
    print("\n".join(report(found)))
    print(f"\nLoad of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors.")


async def measure(layout: Layout, clips: dict[str, Path], jobs: int) -> dict[str, Times]:
    """Have the clips transcoded by a stack that has just been brought up, each so often.

    Raises:
        StackError: a job did not complete.
    """
    env = envfile.read(layout.env_file)
    found: dict[str, Times] = defaultdict(Times)
    listener = Listener()
    bus = await connect(SecretStr(env["NATS_URL"]), "measure")
    try:
        await bus.subscribe("feed.jobs.>", cb=listener.heard)
        async with Client(env) as client:
            for label, clip in clips.items():
                if label != MISSING:
                    await client.upload(clip, f"measured/{clip.name}")
                # What is loaded at the first job is no part of the others.
                await _job(client, listener, clip, f"warm-{label}")
            for number in range(jobs):
                for label, clip in clips.items():
                    before = _cpu(layout)
                    begun, job, ended = await _job(client, listener, clip, f"{number}-{label}")
                    times = found[label]
                    times.total.append(ended - begun)
                    for step, seconds in listener.steps(job, begun):
                        times.steps[step].append(seconds)
                    for service, seconds in _cpu(layout).items():
                        times.cpu[service].append(seconds - before[service])
    finally:
        await bus.close()
    return found


async def _job(client: Client, listener: Listener, clip: Path, name: str) -> tuple[float, str, float]:
    """Run a job: when it was sent, its name, and when its end was stored."""
    body = {
        "input_path": client.location(f"measured/{clip.name}"),
        "output_path": client.location(f"measured/{name.replace(' ', '-').replace(',', '')}/"),
        "resolutions": [RESOLUTION],
    }
    begun = time.perf_counter()
    job = str((await client.post_job(body))["id"])
    ended = await listener.ended(job)
    async for _ in client.follow(job):
        pass
    if MISSING not in name:
        require_completed(await client.job(job))
    return begun, job, ended


def report(found: dict[str, Times]) -> Iterator[str]:
    """The figures as two tables in Markdown."""
    labels = list(found)
    yield "| Seconds, least · p50 · p99 | " + " | ".join(labels) + " |"
    yield "|---|" + "---:|" * len(labels)
    yield "| **whole job** | " + " | ".join(f"**{_shown(found[label].total)}**" for label in labels) + " |"
    for step in _STEPS.values():
        yield f"| {step} | " + " | ".join(_shown(found[label].steps[step]) for label in labels) + " |"
    yield ""
    yield "| Processor seconds, mean | " + " | ".join(labels) + " |"
    yield "|---|" + "---:|" * len(labels)
    for service in found[labels[0]].cpu:
        yield f"| {service} | " + " | ".join(f"{mean(found[label].cpu[service]):.3f}" for label in labels) + " |"


def _shown(seconds: Sequence[float]) -> str:
    if not seconds:
        return "–"
    ordered = sorted(seconds)
    return " · ".join(f"{each:.3f}" for each in (ordered[0], median(ordered), ordered[int(0.99 * len(ordered))]))


def _cpu(layout: Layout) -> dict[str, float]:
    records = read_records(layout.run)
    return {name: tree_cpu_seconds(records[name].process.pid) for name in layout.services}


def _clip(path: Path, seconds: float) -> Path:
    arguments = []
    for source in ("testsrc2=size=426x240:rate=25", "sine=sample_rate=48000"):
        arguments += ["-f", "lavfi", "-i", f"{source}:duration={seconds}"]
    encoded = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    run_ffmpeg([*arguments, *encoded, "-movflags", "+faststart", str(path)])
    return path


if __name__ == "__main__":
    main()

"""``make bench``: this system against one plain ffmpeg process with the same settings plus upload, in one run."""

import asyncio
import random
import resource
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from millrace_client.cli.live import JobView
from millrace_client.cli.pace import STAGES
from millrace_client.models import Job
from stack import baseline, clips, envfile, lifecycle
from stack.client import Client, require_completed
from stack.demo import RESOLUTIONS, ensure_up, existing
from stack.layout import Layout, StackError
from stack.processes import read_records, tree_cpu_seconds

PROFILE = "balanced"


@dataclass(frozen=True)
class Measure:
    """One way to make the ladder: wall seconds from the order to the last object in the bucket, and what it took."""

    seconds: float
    cpu_seconds: float
    bytes: int
    note: str


async def bench(layout: Layout, clip: str | None) -> int:
    """Measure and print both side by side; the exit status.

    Args:
        clip: path; None for a clip that is made here.

    Raises:
        StackError: the stack did not start, the clip is no video, or one of the two failed.
    """
    console = Console(highlight=False, soft_wrap=True)
    if clip is None:
        console.print(f"The video is a clip of {clips.BENCH.seconds} s made here; CLIP=<path> takes another.")
    path = existing(clip) if clip else clips.make(clips.BENCH, layout.clips)
    facts = clips.probe(path)
    layout = ensure_up(layout, console)
    name = f"bench/{time.time_ns() // 1_000_000}"
    async with Client(envfile.read(layout.env_file)) as client:
        await client.upload(path, f"{name}/source{path.suffix}")
        # Which goes first is left to chance, so that a machine that warms up favours neither in the long run.
        millrace_first = random.random() < 0.5  # noqa: S311 - nothing to guess here
        if millrace_first:
            own = await _millrace(client, layout, name, path, console)
            plain = await _plain(client, layout, name, path, facts, console)
        else:
            plain = await _plain(client, layout, name, path, facts, console)
            own = await _millrace(client, layout, name, path, console)
    first = "Millrace" if millrace_first else "plain ffmpeg"
    console.print(
        f"{path.name}, {facts.duration:.0f} s, to {', '.join(RESOLUTIONS)}, profile {PROFILE}; {first} ran first"
    )
    console.print(comparison(own, plain, facts.duration, transcoders=layout.transcoders))
    console.print(own.note)
    console.print(plain.note)
    return 0


async def _millrace(client: Client, layout: Layout, name: str, path: Path, console: Console) -> Measure:
    """From the POST to the completed job. Its CPU time is that of the whole stack: servers, services and ffmpeg."""
    supervisor = lifecycle.supervisor_of(layout)
    if not supervisor:
        raise StackError("The stack has gone down")
    console.print("Millrace …")
    cpu, begun = tree_cpu_seconds(supervisor.process.pid), time.monotonic()
    source = client.location(f"{name}/source{path.suffix}", with_keys=True)
    body = {"input_path": source, "output_path": client.location(f"{name}/millrace/"), "profile": PROFILE}
    job = await client.post_job({**body, "resolutions": list(RESOLUTIONS)})
    with JobView(console) as view:
        async for state in client.follow(job["id"]):
            view.show(Job.model_validate(state))
    seconds, cpu = time.monotonic() - begun, tree_cpu_seconds(supervisor.process.pid) - cpu
    job = await client.job(job["id"])
    require_completed(job)
    timings = ", ".join(f"{stage} {job['timings'][stage]:.1f} s" for stage in STAGES)
    return Measure(seconds, cpu, job["outputs"]["bytes"], f"Millrace: {timings}")


async def _plain(
    client: Client, layout: Layout, name: str, path: Path, facts: clips.Facts, console: Console
) -> Measure:
    """From the start of ffmpeg to the last upload. Its CPU time is ffmpeg's, this process's and the S3 server's."""
    console.print("Plain ffmpeg …")
    folder = layout.state / "bench"
    _renew(folder)
    s3 = read_records(layout.run)["s3"].process.pid
    cpu, begun = _own_cpu_seconds() + tree_cpu_seconds(s3), time.monotonic()
    await asyncio.to_thread(clips.run_ffmpeg, baseline.command(path, folder, facts, RESOLUTIONS, PROFILE))
    encoded = time.monotonic()
    size = await client.upload_folder(folder, f"{name}/plain")
    done = time.monotonic()
    cpu = _own_cpu_seconds() + tree_cpu_seconds(s3) - cpu
    shutil.rmtree(folder)
    return Measure(
        done - begun, cpu, size, f"Plain ffmpeg: encoding {encoded - begun:.1f} s, upload {done - encoded:.1f} s"
    )


def comparison(own: Measure, plain: Measure, duration: float, *, transcoders: int) -> Table:
    """Both side by side; the ratio is Millrace to plain ffmpeg."""
    table = Table()
    table.add_column("")
    many = "" if transcoders == 1 else "s"
    for title in (f"Millrace, {transcoders} transcoder{many}", "plain ffmpeg + upload", "ratio"):
        table.add_column(title, justify="right")
    table.add_row("wall seconds", f"{own.seconds:.1f}", f"{plain.seconds:.1f}", f"{own.seconds / plain.seconds:.2f}")
    used = own.cpu_seconds, plain.cpu_seconds
    table.add_row("CPU-seconds", f"{used[0]:.1f}", f"{used[1]:.1f}", f"{used[0] / used[1]:.2f}")
    speeds = duration / own.seconds, duration / plain.seconds
    table.add_row("times real time", f"{speeds[0]:.2f}", f"{speeds[1]:.2f}", f"{speeds[0] / speeds[1]:.2f}")
    table.add_row("bytes", f"{own.bytes:,}", f"{plain.bytes:,}", f"{own.bytes / plain.bytes:.2f}")
    return table


def _own_cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _renew(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

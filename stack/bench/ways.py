"""Ways to make a ladder of a clip: this system, and others that are commands followed by an upload."""

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rich.console import Console

from millrace_client.cli.live import JobView
from millrace_client.cli.pace import STAGES
from millrace_client.models import Job
from stack import clips
from stack.bench.machine import Watch, own_cpu_seconds
from stack.client import Client, require_completed
from stack.layout import Layout
from stack.processes import read_records, tree_cpu_seconds

PROFILE = "balanced"


@dataclass(frozen=True)
class Run:
    """One run of a way: wall seconds from the order to the last object in the bucket, and what it took.

    Attributes:
        bytes: of everything that it made.
        taken: share of all processors that others had meanwhile.
        note: where the time went, by what.
    """

    seconds: float
    cpu_seconds: float
    bytes: int
    taken: float = 0.0
    note: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """What all ways work with.

    Attributes:
        prefix: of the keys in the bucket, without a slash at its end; the source lies there already.
        folder: where the output of the last run of each way is kept, by its name.
        supervisor: pid of the stack's.
    """

    client: Client
    layout: Layout
    clip: Path
    facts: clips.Facts
    resolutions: tuple[str, ...]
    prefix: str
    folder: Path
    supervisor: int
    console: Console

    @property
    def source(self) -> str:
        """Key of the source."""
        return f"{self.prefix}/source{self.clip.suffix}"


class Way(Protocol):
    """One way to make the ladder."""

    @property
    def name(self) -> str:
        """Short, fit for a folder."""

    @property
    def title(self) -> str:
        """As the report calls it."""

    async def run(self, scene: Scene) -> Run:
        """Make it once, and leave the output in the folder of the scene.

        Raises:
            StackError: it failed.
        """


class Millrace:
    """From the POST to the completed job. Its CPU time is that of the whole stack: servers, services and ffmpeg."""

    name, title = "millrace", "Millrace"

    async def run(self, scene: Scene) -> Run:
        """See :class:`Way`."""
        client = scene.client
        prefix = f"{scene.prefix}/{self.name}-{time.monotonic_ns()}"
        body = {
            "input_path": client.location(scene.source, with_keys=True),
            "output_path": client.location(f"{prefix}/"),
            "profile": PROFILE,
            "resolutions": list(scene.resolutions),
        }
        watch = Watch(scene.supervisor)
        cpu, begun = tree_cpu_seconds(scene.supervisor), time.monotonic()
        job = await client.post_job(body)
        with JobView(scene.console) as view:
            async for state in client.follow(job["id"]):
                view.show(Job.model_validate(state))
        seconds, cpu = time.monotonic() - begun, tree_cpu_seconds(scene.supervisor) - cpu
        others = watch.taken()
        job = await client.job(job["id"])
        require_completed(job)
        timings = {stage: float(job["timings"].get(stage) or 0) for stage in STAGES}
        await client.download_folder(prefix, renewed(scene.folder / self.name))
        return Run(seconds, cpu, job["outputs"]["bytes"], others, timings)


@dataclass(frozen=True)
class Commands:
    """Command lines, then the upload of what they made. The CPU time is theirs, this process's and the S3 server's.

    Attributes:
        steps: takes the scene and the folder for the output; each step is command lines that run at the same time.
    """

    name: str
    title: str
    steps: Callable[[Scene, Path], Sequence[Sequence[list[str]]]]

    async def run(self, scene: Scene) -> Run:
        """See :class:`Way`."""
        folder = renewed(scene.folder / self.name)
        steps = self.steps(scene, folder)
        s3 = read_records(scene.layout.run)["s3"].process.pid
        watch = Watch(scene.supervisor)
        cpu, begun = own_cpu_seconds() + tree_cpu_seconds(s3), time.monotonic()
        for step in steps:
            await asyncio.gather(*(asyncio.to_thread(clips.run_command, argv, cwd=scene.folder) for argv in step))
        encoded = time.monotonic()
        size = await scene.client.upload_folder(folder, f"{scene.prefix}/{self.name}-{time.monotonic_ns()}")
        done = time.monotonic()
        cpu = own_cpu_seconds() + tree_cpu_seconds(s3) - cpu
        note = {"encoding": encoded - begun, "uploading": done - encoded}
        return Run(done - begun, cpu, size, watch.taken(), note)


def renewed(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder

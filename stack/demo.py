"""``make demo``: one video through the whole stack, watched in the terminal."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from millrace_client.cli.live import JobView
from millrace_client.cli.pace import STAGES
from millrace_client.models import Job
from stack import clips, envfile, lifecycle
from stack.client import Client
from stack.layout import Layout, StackError

RESOLUTIONS = ("240p", "480p", "720p", "1080p")


async def demo(layout: Layout, video: str | None) -> int:
    """Bring the stack up if it is not, transcode the video, show the result; the exit status.

    Args:
        video: path or http(s) URL; None for a clip that is made here.

    Raises:
        StackError: the stack did not start, or there is no such file.
    """
    console = Console(highlight=False, soft_wrap=True)
    layout = ensure_up(layout, console)
    async with Client(envfile.read(layout.env_file)) as client:
        name, source = await _source(client, video, layout, console)
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        output = client.location(f"demo/{stamp}-{_slug(name)}/")
        job = await client.post_job({**source, "output_path": output, "resolutions": list(RESOLUTIONS)})
        console.print(f"Job {job['id']}: {name} to {', '.join(RESOLUTIONS)}")
        console.print(f"In a browser: {client.console_url(job['id'])} (user and password are in {layout.env_file})")
        with JobView(console) as view:
            async for state in client.follow(job["id"]):
                view.show(Job.model_validate(state))
        job = await client.job(job["id"])
        if job["status"].lower() != "completed":
            console.print(f"[red]{job['status']}[/red]: {job['error_message']} ({job['error_code']})")
        else:
            _report(client, job, console)
    console.print("The stack stays up: `make ps` shows it, `make logs` follows it, `make down` stops it.")
    return 0 if job["status"].lower() == "completed" else 1


def ensure_up(layout: Layout, console: Console) -> Layout:
    """The layout of the running stack; it is brought up if need be."""
    if lifecycle.supervisor_of(layout):
        layout = lifecycle.running_layout(layout.state)
    lifecycle.up(layout, say=console.print)
    return layout


async def _source(client: Client, video: str | None, layout: Layout, console: Console) -> tuple[str, dict[str, str]]:
    if video and re.match(r"https?://", video):
        return video, {"input_url": video}
    if video:
        path = existing(video)
    else:
        console.print(f"The video is a clip of {clips.DEMO.seconds} s made here; VIDEO=<path or URL> takes another.")
        path = clips.make(clips.DEMO, layout.clips)
    key = f"demo/sources/{_slug(path.name)}"
    await client.upload(path, key)
    return path.name, {"input_path": client.location(key, with_keys=True)}


def existing(name: str) -> Path:
    """A file that the person named.

    Raises:
        StackError: there is no such file.
    """
    path = Path(name).expanduser()
    if not path.is_file():
        raise StackError(f"There is no file {path}")
    return path


def _slug(name: str) -> str:
    """A name that is fit for a key: of a URL the last piece of its path."""
    last = name.partition("?")[0].rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-.")[:80] or "video"


def _report(client: Client, job: dict[str, Any], console: Console) -> None:
    outputs = job["outputs"]
    console.print(renditions_table(outputs))
    timings = job["timings"]
    spent = ", ".join(f"{stage} {timings[stage]:.1f} s" for stage in STAGES if timings.get(stage) is not None)
    console.print(f"Time spent: {spent}")
    taken = seconds_between(job["start_time"], job["end_time"])
    duration = job["video_duration"]
    console.print(f"{duration} s of video in {taken:.1f} s of work: {duration / taken:.2f} times real time")
    console.print(f"Playlist: {client.playback_url(outputs['master'])}")


def seconds_between(start: str, end: str) -> float:
    """Seconds from one ISO 8601 time to another."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def renditions_table(outputs: dict[str, Any]) -> Table:
    """What came out: a row for every rendition and audio track."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    # Where a terminal is narrow, names are broken into two lines, and no figure is cut.
    for name in ("rendition", "size", "fps", "avg kb/s", "peak kb/s", "codecs", "bytes"):
        is_name = name in ("rendition", "codecs")
        table.add_column(name, justify="left" if is_name else "right", no_wrap=not is_name, overflow="fold")
    for video in outputs["renditions"]:
        size, rate = f"{video['width']}×{video['height']}", f"{video['frame_rate']:g}"
        table.add_row(video["resolution"], size, rate, *_rates(video))
    for audio in outputs["audio"] or ():
        table.add_row(f"audio {audio['language'] or ''}".strip(), "", "", *_rates(audio))
    table.add_row("all", "", "", "", "", "", decimal(outputs["bytes"]), style="bold")
    return table


def _rates(track: dict[str, Any]) -> tuple[str, ...]:
    average, peak = (f"{track[name] / 1000:,.0f}" for name in ("average_bitrate", "peak_bitrate"))
    return average, peak, track["codecs"], decimal(track["bytes"])

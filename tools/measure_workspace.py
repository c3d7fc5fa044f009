"""Measures what a work space in S3 costs: bytes read and written for each byte of a source, in all and by part.

    python -m tools.measure_workspace --seconds 600

It makes a film, runs a stack of its own with three transcoders, each with a scratch folder of its own, has the film transcoded,
and asks the workers what they have moved. Everything is removed in the end. docs/operations.md holds a run.
"""

import argparse
import asyncio
import json
import re
import subprocess
import tempfile
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from shared.media.tools import ffmpeg_path
from stack import envfile, lifecycle
from stack.client import Client, require_completed
from stack.layout import Layout

TRANSCODERS = 3
RESOLUTIONS = ("144p", "240p")
_SERIES = re.compile(r'^millrace_workspace_bytes_total\{direction="(\w+)",of="(\w+)"\} (\S+)$', re.MULTILINE)
_COPIED = re.compile(r"^millrace_copied_bytes_total (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Traffic:
    """What a job has moved.

    Attributes:
        source: bytes of the film.
        moved: bytes by what they are of and ``read`` or ``written``.
        copied: bytes that the storage has copied itself.
        parts: bytes of the film that were copied to a host, by part.
    """

    source: int
    moved: Mapping[tuple[str, str], float]
    copied: float
    parts: Mapping[str, int]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the traffic of a work space in S3")
    parser.add_argument("--seconds", type=int, default=600, help="length of the film")
    parser.add_argument("--megabits", type=float, default=6, help="its bit rate")
    parser.add_argument("--port-base", type=int, default=29_000, help="the first of a hundred free ports")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="millrace-measure-") as name:
        layout = Layout(Path(name) / "state", options.port_base, TRANSCODERS, workspace_in="s3")
        film = Path(name) / "film.mp4"
        _make(film, options.seconds, options.megabits)
        lifecycle.up(layout)
        try:
            traffic = asyncio.run(measure(layout, film))
        finally:
            lifecycle.down(layout.state)
    for line in report(traffic):
        print(line)


async def measure(layout: Layout, film: Path) -> Traffic:
    """Have a film transcoded by a stack that has just been brought up.

    Raises:
        StackError: the job did not complete.
    """
    async with Client(envfile.read(layout.env_file)) as client:
        await client.upload(film, "measured/film.mp4")
        body = {"input_path": client.location("measured/film.mp4"), "output_path": client.location("measured/out/")}
        require_completed(await client.run({**body, "resolutions": list(RESOLUTIONS)}))
    workers = [name for name in layout.services if name.startswith(("fetcher", "transcoder", "uploader"))]
    texts = [await asyncio.to_thread(_metrics, layout.ports[name]) for name in workers]
    moved: dict[tuple[str, str], float] = defaultdict(float)
    for direction, kind, size in (found for text in texts for found in _SERIES.findall(text)):
        moved[kind, direction] += float(size)
    copied = sum(float(size) for text in texts for size in _COPIED.findall(text))
    parts: dict[str, int] = defaultdict(int)
    for line in (line for name in workers for line in _lines(layout, name)):
        if line.get("event") == "source copied":
            parts[str(line["work"]).rpartition(".")[2]] += int(line["bytes"])
    return Traffic(await asyncio.to_thread(lambda: film.stat().st_size), moved, copied, parts)


def report(traffic: Traffic) -> Iterator[str]:
    """The figures as lines of a table in Markdown."""
    yield f"A film of {traffic.source / 1e6:.0f} MB in {len(traffic.parts)} parts:"
    yield ""
    yield "| Bytes, for each byte of the source | read | written |"
    yield "|---|---|---|"
    for kind in sorted({kind for kind, _ in traffic.moved}):
        read, written = (traffic.moved.get((kind, way), 0) / traffic.source for way in ("read", "written"))
        yield f"| {kind} | {read:.3f} | {written:.3f} |"
    yield f"| copied by the storage | | {traffic.copied / traffic.source:.3f} |"
    yield ""
    shares = {part: size / traffic.source for part, size in traffic.parts.items()}
    video = [share for part, share in shares.items() if part.startswith("v")]
    others = [share for part, share in shares.items() if not part.startswith("v")]
    yield f"Of the source a part of the video copied {median(video):.3f} as a rule, and {max(video):.3f} at the most;"
    yield f"a part of sound or text {max(others, default=0):.3f} at the most."


def _make(film: Path, seconds: int, megabits: float) -> None:
    noise = f"testsrc2=size=640x360:rate=25:duration={seconds},noise=alls=20:allf=t"
    argv = [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", noise, "-f", "lavfi", "-i", f"sine=duration={seconds}"]
    argv += ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", f"{megabits}M", "-g", "50", "-c:a", "aac", str(film)]
    subprocess.run(argv, check=True)


def _metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def _lines(layout: Layout, name: str) -> Iterator[dict[str, Any]]:
    for line in (layout.log / f"{name}.log").read_text().splitlines():
        if line.startswith("{"):
            yield json.loads(line)


if __name__ == "__main__":
    main()

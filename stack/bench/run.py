"""Runs the benchmark: all ways by turns, then the report."""

import asyncio
import json
import random
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from stack import clips, envfile, lifecycle
from stack.bench import baseline
from stack.bench.machine import Machine, taken_now, why_busy
from stack.bench.others import BASELINE, OTHERS
from stack.bench.renditions import renditions
from stack.bench.report import Report, Result
from stack.bench.ways import PROFILE, Millrace, Run, Scene, Way, renewed
from stack.client import Client
from stack.demo import RESOLUTIONS, ensure_up, existing
from stack.layout import REPOSITORY, Layout, StackError

RECORDS = REPOSITORY / "docs" / "benchmarks"
_WAYS: tuple[Way, ...] = (Millrace(), BASELINE)
_BY_NAME = {way.name: way for way in OTHERS}


@dataclass(frozen=True)
class Choices:
    """What a person may choose.

    Attributes:
        clip: path; None for a clip that is made here.
        rounds: how often Millrace and the baseline are run.
        others: names of further ways, which are run once.
        seed: decides which way begins; None for chance.
        anyway: measure on a busy machine as well, without ratios.
        record: put the report into the documentation instead of the state directory.
    """

    clip: str | None = None
    rounds: int = 3
    others: Sequence[str] = tuple(_BY_NAME)
    seed: int | None = None
    anyway: bool = False
    record: bool = False


async def bench(layout: Layout, choices: Choices) -> int:
    """Measure, print and write down; the exit status, which is not 0 where the figures are not to be quoted.

    Raises:
        StackError: the machine is busy, the stack did not start, the clip is no video, or a way failed.
    """
    console = Console(highlight=False, soft_wrap=True, stderr=True)
    if choices.rounds < 1:
        raise StackError("At least one round is needed")
    if unknown := set(choices.others) - set(_BY_NAME):
        raise StackError(f"There is no {', '.join(sorted(unknown))} to compare with: {', '.join(_BY_NAME)} are there")
    machine, idle = Machine.here(), _idle(layout, choices)
    if choices.clip is None:
        console.print(f"The video is a clip of {clips.BENCH.seconds} s made here; CLIP=<path> takes another.")
    path = existing(choices.clip) if choices.clip else clips.make(clips.BENCH, layout.clips)
    facts = clips.probe(path)
    layout = ensure_up(layout, console)
    supervisor = lifecycle.supervisor_of(layout)
    if not supervisor:
        raise StackError("The stack has gone down")
    resolutions = tuple(rung.name for rung in baseline.ladder(RESOLUTIONS, facts))
    if not resolutions:
        raise StackError(f"{path} is smaller than {RESOLUTIONS[0]}")
    seed = random.randrange(1000) if choices.seed is None else choices.seed  # noqa: S311 - nothing to guess here
    async with Client(envfile.read(layout.env_file)) as client:
        scene = Scene(
            client=client,
            layout=layout,
            clip=path,
            facts=facts,
            resolutions=resolutions,
            prefix=f"bench/{time.time_ns() // 1_000_000}",
            folder=renewed(layout.state / "bench"),
            supervisor=supervisor.process.pid,
            console=console,
        )
        await client.upload(path, scene.source)
        results = await _measure(scene, choices, seed)
    report = Report(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        revision=_revision(),
        machine=machine,
        clip={
            "name": path.name,
            "seconds": facts.duration,
            "width": facts.width,
            "height": facts.height,
            "frame_rate": facts.frame_rate,
        },
        seed=seed,
        transcoders=layout.transcoders,
        resolutions=resolutions,
        profile=PROFILE,
        idle_taken=idle,
        results=results,
    )
    print("\n".join(report.markdown()))
    return _write(report, layout, choices, console)


def _idle(layout: Layout, choices: Choices) -> float:
    """What others take while nothing of ours is measured; refused where that is too much."""
    supervisor = lifecycle.supervisor_of(layout)
    idle = taken_now(supervisor.process.pid if supervisor else None)
    if (why := why_busy({"before the first run": idle})) and not choices.anyway:
        raise StackError(f"The machine is busy: {why}. --anyway (ANYWAY=1) measures, but gives no ratios")
    return idle


async def _measure(scene: Scene, choices: Choices, seed: int) -> list[Result]:
    others: list[Way] = [_BY_NAME[name] for name in choices.others]
    order = turns(_WAYS, choices.rounds, seed)
    # Beside the first round, so that all lies as near together as it can.
    order = [*order[: len(_WAYS)], *others, *order[len(_WAYS) :]]
    runs: dict[str, list[Run]] = {way.name: [] for way in (*_WAYS, *others)}
    for number, way in enumerate(order, start=1):
        scene.console.print(f"{number}/{len(order)} {way.title} …")
        runs[way.name].append(await way.run(scene))
    results = []
    for way in (*_WAYS, *others):
        scene.console.print(f"Scoring {way.title} …")
        found = await asyncio.to_thread(renditions, scene.folder / way.name, scene.clip, scene.facts, scene.folder)
        results.append(Result(way.name, way.title, runs[way.name], found))
    shutil.rmtree(scene.folder)
    return results


def turns(ways: Sequence[Way], rounds: int, seed: int) -> list[Way]:
    """All ways one after the other, so often: A B A B. Where it begins is left to the seed.

    A machine that gets warmer, or quieter, then favours none of them.
    """
    first = random.Random(seed).randrange(len(ways))  # noqa: S311 - nothing to guess here
    return [*ways[first:], *ways[:first]] * rounds


def _revision() -> str:
    argv = ["git", "describe", "--tags", "--always", "--dirty"]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "of no repository"


def _write(report: Report, layout: Layout, choices: Choices, console: Console) -> int:
    why = report.not_quotable
    if choices.record and why:
        console.print("It is not put into the documentation, since it is not to be quoted.")
    folder = RECORDS if choices.record and not why else layout.state / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{report.made.partition('T')[0]}-{Path(report.clip['name']).stem}"
    (folder / f"{name}.json").write_text(json.dumps(report.as_json(), indent=2) + "\n")
    (folder / f"{name}.md").write_text("\n".join(report.markdown()) + "\n")
    console.print(f"Written to {folder / name}.md and .json")
    return 1 if why and not choices.anyway else 0

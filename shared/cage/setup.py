"""Which walls of the cage this machine has, found out at start by trying; what is missing is said once."""

import asyncio
from pathlib import Path

import structlog

from shared.cage import CageMode, cage, landlock
from shared.cage.cage import Cage
from shared.cage.metrics import WALLS
from shared.cage.trial import tried


class CageIncomplete(Exception):
    """The settings ask for all of the cage, and this machine lacks some of it."""


async def set_up_cage(mode: CageMode, programs: list[str], folder: Path) -> dict[str, object]:
    """Have all programs of this process run in as much of the cage as there is; what the health page should tell of it.

    Args:
        programs: paths of those that will be run.
        folder: where this process's work lies: whether another user may work there is the file system's to say.

    Raises:
        NoProgram: one of them is a script.
        CageIncomplete: something is missing, and the mode is ``require``.
    """
    if mode == "off":
        found = Cage("off", frozenset(), cage.all_walls())
    else:
        for program in programs:
            await asyncio.to_thread(cage.check_program, program)
        found = await asyncio.to_thread(tried, cage.detect(mode), folder)
    missing = sorted(found.missing)
    if mode == "require" and missing:
        raise CageIncomplete(f"the cage lacks {', '.join(missing)}, and MILLRACE_CAGE=require asks for all of it")
    cage.use(found)
    for wall in cage.all_walls():
        WALLS.labels(wall).set(wall in found.walls)
    log = structlog.get_logger()
    said = {"mode": mode, "walls": sorted(found.walls), "missing": missing, "landlock": landlock.abi()}
    if missing:
        await log.awarning("ffmpeg is not wholly caged", **said)
    else:
        await log.ainfo("ffmpeg is caged", **said)
    return {"mode": mode, "missing": missing}

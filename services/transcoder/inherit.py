"""Parts that an earlier job has made, and that a retry need not make again."""

import asyncio

import structlog

from services.transcoder.command import Tools
from shared.events import Fetched
from shared.media.result import PartRecord
from shared.workspace.space import WorkSpace


async def inherited(space: WorkSpace, tools: Tools, fetched: Fetched, part: str) -> str | None:
    """The record (JSON text) of a part that the retry has inherited, now its own; None where there is none that can be used.

    It can be used if it would be made just so here: by the same recipe, with the same tools,
    for the same layout.
    """
    org, job = fetched.org, fetched.job
    offered = await space.offered(org, job, part)
    if offered is None:
        return None
    record = await asyncio.to_thread(PartRecord.model_validate_json, offered)
    made_by = (record.recipe, record.tools, record.layout)
    alike = made_by == (fetched.recipe, tools.digest, fetched.layout)
    if alike and fetched.recipe and tools.digest:
        await structlog.get_logger().ainfo("part inherited")
        return await space.accept(org, job, part)
    await structlog.get_logger().ainfo("part not inherited, made with other tools")
    await space.refuse(org, job, part)
    return None

"""The records of finished parts: what the transcoder has written down of each, held against what it has published."""

import asyncio

from shared.events import PartTranscoded
from shared.media.result import PartRecord, digest_of
from shared.workspace.space import MadePart, WorkSpace


class WrongFile(Exception):
    """A file of the work space is not what the transcoder said it is."""


def made_part(event: PartTranscoded) -> MadePart:
    """What the event speaks of, as the work space knows it."""
    return MadePart(event.org, event.job, event.part, event.digest)


async def read_record(space: WorkSpace, event: PartTranscoded) -> PartRecord:
    """The record of a part.

    Raises:
        WrongFile: it is gone, or is not the one that the event speaks of.
    """
    if event.inline:
        return event.inline
    text = await space.record(made_part(event))
    if text is None:
        raise WrongFile(f"the record of part {event.part} is missing")
    # It may be megabytes large.
    record = await asyncio.to_thread(_read, text, event.digest)
    if record is None:
        raise WrongFile(f"the record of part {event.part} is not the one that was published")
    return record


def _read(text: str, digest: str) -> PartRecord | None:
    return PartRecord.model_validate_json(text) if digest_of(text) == digest else None

"""The records of finished parts: what the transcoder has written down of each, held against what it has published."""

from shared.events import PartTranscoded
from shared.media.result import PartRecord, digest_of
from shared.workspace import WorkSpace


class WrongFile(Exception):
    """A file of the work space is not what the transcoder said it is."""


def read_record(space: WorkSpace, event: PartTranscoded) -> PartRecord:
    """The record of a part. Reads a file that may be megabytes large: call it in a thread.

    Raises:
        WrongFile: it is gone, or is not the one that the event speaks of.
    """
    if event.inline:
        return event.inline
    text = space.finished(event.org, event.job, event.part)
    if text is None:
        raise WrongFile(f"the record of part {event.part} is missing")
    if digest_of(text) != event.digest:
        raise WrongFile(f"the record of part {event.part} is not the one that was published")
    return PartRecord.model_validate_json(text)

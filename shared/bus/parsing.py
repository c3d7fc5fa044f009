"""Reading events out of messages of the log, those of a newer version included."""

import json

import structlog
from pydantic import TypeAdapter, ValidationError

from shared.bus.subjects import event_subject
from shared.events import EVENT_TYPES, AnyEvent, Event

REPEATS = "Millrace-Repeats"
"""Header of a message that puts an event before its consumers once more: the place of the message that has told it before."""

_PARSER: TypeAdapter[Event] = TypeAdapter(AnyEvent)
_VERSIONS = {str(kind.model_fields["type"].default): kind.versions for kind in EVENT_TYPES}


class FutureEvent(ValueError):
    """An event of a kind, or of a version of a kind, that this code does not know. A newer one does, so it is no mistake."""

    def __init__(self, kind: str, version: int) -> None:
        self.kind = kind
        self.version = version
        super().__init__(f"an event {kind} of version {version}")


class UnknownEvent(Event):
    """Stands for a :class:`FutureEvent` where it matters that there is an event. Only its subject means anything."""

    named: str

    def token(self) -> str:
        """The end of its subject."""
        return self.named


def parse_event(data: bytes | str) -> Event:
    """An event out of its JSON.

    Raises:
        FutureEvent: it is one that this code does not know.
        pydantic.ValidationError: it is none of ours.
    """
    try:
        return _PARSER.validate_json(data)
    except ValidationError:
        if future := _future(data):
            raise future from None
        raise


def parse_message(subject: str, data: bytes) -> Event:
    """An event out of a message of the stream.

    Raises:
        FutureEvent: it is one that this code does not know.
        ValueError: it is none of ours, or it does not belong on that subject.
    """
    event = parse_event(data)
    if event_subject(event) != subject:
        raise ValueError(f"an event of {event_subject(event)} on the subject {subject}")
    return event


def report_unreadable(subject: str, sequence: int, error: ValueError) -> None:
    """Tell in one line that a reader has skipped a message; the message stays where it is."""
    log = structlog.get_logger().bind(subject=subject, sequence=sequence)
    if isinstance(error, FutureEvent):
        log.warning("unknown event skipped", type=error.kind, version=error.version)
    else:
        log.error("not an event", error=str(error)[:500])


def _future(data: bytes | str) -> FutureEvent | None:
    try:
        given = json.loads(data)
    except ValueError:
        return None
    if not isinstance(given, dict):
        return None
    kind, version = given.get("type"), given.get("v", 1)
    if not isinstance(kind, str) or not isinstance(version, int) or version in _VERSIONS.get(kind, ()):
        return None
    return FutureEvent(kind, version)

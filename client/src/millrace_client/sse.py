"""Server-sent events, read as the HTML standard says (section 9.2.6). Pure."""

import codecs
import re
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class ServerEvent:
    """An event. ``id``: that of this or the newest earlier event that had one."""

    name: str
    data: str
    id: str


class EventReader:
    """Makes events of bytes, in whatever pieces these come.

    Attributes:
        last_id: what to send as ``Last-Event-ID`` when the connection is gone.
        retry_seconds: after which the server wants to see us again; None where it has not said so.
    """

    def __init__(self) -> None:
        self.last_id = ""
        self.retry_seconds: float | None = None
        self.begin()

    def begin(self) -> None:
        """Another connection: what had come of an event is forgotten, ``last_id`` is not."""
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._rest = ""
        self._name = ""
        self._data: list[str] = []
        self._id = self.last_id

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """The events that end in this piece."""
        text = self._rest + self._decoder.decode(piece)
        # Whether a carriage return is all of a line's end shows in what comes next.
        held = "\r" if text.endswith("\r") else ""
        *lines, rest = _LINE_END.split(text.removesuffix(held))
        self._rest = rest + held
        return [event for line in lines if (event := self._line(line))]

    def _line(self, line: str) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._name = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry_seconds = int(value) / 1000
        return None

    def _dispatch(self) -> ServerEvent | None:
        self.last_id = self._id
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        return ServerEvent(name, "\n".join(data), self.last_id) if data else None

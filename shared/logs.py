"""Logs: one JSON object a line on standard output, bound to organization and job, without secrets."""

import atexit
import logging
import queue
import re
import sys
import threading
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

from shared.tracing.spans import current

# The last line of defence. Nothing secret should get as far as a log call; if it does, these shapes are blotted out.
_SECRETS = (
    (
        re.compile(
            r"((?:access_key|secret_key|X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|Signature)=)[^&\s\"'<>]+",
            re.IGNORECASE,
        ),
        r"\1<redacted>",
    ),
    (re.compile(r"(://)[^/\s:@\"']+:[^/\s@\"']+@"), r"\1<credentials>@"),
    (re.compile(r"((?:Token|Bearer)\s+)[0-9a-f]{64}", re.IGNORECASE), r"\1<redacted>"),
)


_MOST_UNWRITTEN = 10_000
_LAST_LINES_SECONDS = 2.0


def redact(text: str) -> str:
    """The text without what looks like a credential inside an address or an authorization header."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def configure_logs(service: str, level: str, to: TextIO | None = None) -> None:
    """Set up structlog, and lead what libraries log through the standard library the same way: by default to standard output."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _name_service(service),
        _name_trace,
        _redact_all,
    ]
    output = cast(TextIO, _Output(to or sys.stdout))
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(output),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=structlog.processors.JSONRenderer())
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class Repetition:
    """Whether a line that comes again and again is worth writing: the first time, and once in a while after that.

    Args:
        seconds: between two of the same.
    """

    def __init__(self, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._written: dict[str, float] = {}

    def is_due(self, text: str = "") -> bool:
        """Whether it shall be written now. ``text``: lines that differ in it are not the same."""
        now = self._clock()
        self._written = {line: at for line, at in self._written.items() if now - at < self._seconds}
        if text in self._written:
            return False
        self._written[text] = now
        return True


class _Output:
    """An output for lines, which a thread of its own writes: whoever logs waits for no disk and no reader.

    It gives up a line that it cannot write, on a full disk or into a pipe that nobody reads: no work may fail, or wait, because
    its line in the log could not be written.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._lines: queue.Queue[str | None] = queue.Queue(_MOST_UNWRITTEN)
        self._writer: threading.Thread | None = None
        self._beginning = threading.Lock()

    def write(self, text: str) -> int:
        if self._writer is None:
            self._begin()
        with suppress(queue.Full):
            self._lines.put_nowait(text)
        return len(text)

    def flush(self) -> None:
        """Nothing to do: what was written is on its way."""

    def _begin(self) -> None:
        with self._beginning:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="logs", daemon=True)
                self._writer.start()
                atexit.register(self._end)

    def _end(self) -> None:
        """Write what there is; a reader who does not read is not waited for."""
        with suppress(queue.Full):
            self._lines.put_nowait(None)
        if self._writer:
            self._writer.join(_LAST_LINES_SECONDS)

    def _write_all(self) -> None:
        while True:
            lines = [self._lines.get()]
            while not self._lines.empty():
                lines.append(self._lines.get())
            # OSError: the disk is full, the pipe is broken. ValueError: the file is closed.
            with suppress(OSError, ValueError):
                self._file.write("".join(filter(None, lines)))
                self._file.flush()
            if None in lines:
                return


def _name_service(service: str) -> Any:
    def add(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        entry["service"] = service
        return entry

    return add


def _name_trace(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if context := current():
        entry["trace_id"], entry["span_id"] = context.trace_hex, context.span_hex
    return entry


def _redact_all(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in entry.items():
        if isinstance(value, str):
            entry[key] = redact(value)
    return entry

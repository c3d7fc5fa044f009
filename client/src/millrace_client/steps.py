"""What the core asks of a transport. A flow is a generator that yields steps and is sent what came of each: it does no I/O.

So retries, paging, following and waiting are written once, for blocking and for asynchronous programs, and are tested without
either.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from millrace_client.errors import Unreachable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Request:
    """A request as it goes out. Headers hold the token and bodies keys of storages: neither is for tracebacks.

    Attributes:
        own: whether it goes to Millrace, and not to a storage, whose addresses hold signatures.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    own: bool = True


@dataclass(frozen=True)
class Answer:
    """What came back: names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    text: str = ""


@dataclass(frozen=True)
class Send:
    """Send a request; its :class:`Answer` is sent back, or Unreachable thrown in."""

    request: Request


@dataclass(frozen=True)
class Measure:
    """Look how long a file is: its bytes are sent back. What the operating system says against it is raised to the caller."""

    file: Path


@dataclass(frozen=True)
class SendPiece:
    """Send a piece of a file as the body of a request; its :class:`Answer` is sent back, or Unreachable thrown in.

    Attributes:
        begin, size: bytes. sent: called with how many of them have gone out, every now and then.
    """

    request: Request
    file: Path
    begin: int
    size: int
    sent: Callable[[int], None]


@dataclass(frozen=True)
class Open:
    """Send a request whose answer goes on and on.

    Its :class:`Answer` is sent back: without text if it is an event stream, which is open then; else as of :class:`Send`.

    Attributes:
        quiet_seconds: after which silence counts as a broken connection.
    """

    request: Request
    quiet_seconds: float


@dataclass(frozen=True)
class Read:
    """Read on in what is open: bytes are sent back, none at the end, or Unreachable is thrown in."""


@dataclass(frozen=True)
class Close:
    """Close what is open, if anything is."""


@dataclass(frozen=True)
class Pause:
    """Wait for some seconds."""

    seconds: float


@dataclass(frozen=True)
class Show(Generic[T_co]):
    """Hand an item to the caller of a feed, who may never ask for the next one."""

    item: T_co


Step: TypeAlias = Send | Measure | SendPiece | Open | Read | Close | Pause
Came: TypeAlias = Answer | bytes | int | Unreachable | None
"""What is sent back for a step, or thrown in."""
Flow: TypeAlias = Generator[Step | Show[Any], Any, T]
"""Ends with a result; what it shows on the way interests nobody."""
Feed: TypeAlias = Generator[Step | Show[T], Any, None]
"""Shows items, and ends."""


def send(request: Request) -> Flow[Answer]:
    """The answer to a request."""
    answer: Answer = yield Send(request)
    return answer


def measure(file: Path) -> Flow[int]:
    """The bytes of a file."""
    size: int = yield Measure(file)
    return size


def read() -> Flow[bytes]:
    """The next bytes of what is open; none at its end."""
    piece: bytes = yield Read()
    return piece

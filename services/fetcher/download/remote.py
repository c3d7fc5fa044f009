"""What a place to download from looks like, whichever protocol it speaks."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

TroubleKind = Literal["refused", "misaddressed", "unconnected", "busy", "broken", "stalled"]
"""``refused``: a definite no. ``misaddressed``: there is no host of that name, or it does not speak TLS.
``unconnected``: nobody answers. ``busy``: asked to come later. ``broken``: the connection was cut off. ``stalled``: nothing
comes any more."""


class Trouble(Exception):
    """A request that did not give what was asked for. ``detail`` says why, without secrets.

    Attributes:
        retry_after: seconds that the other side asked us to wait, None if it did not say.
        cause: the sentence for the customer, where that of the error code does not fit. remedy: what to do then.
    """

    def __init__(
        self,
        kind: TroubleKind,
        detail: str,
        *,
        retry_after: float | None = None,
        cause: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.cause, self.remedy = cause, remedy
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after
        super().__init__(f"{kind}: {detail}")


class SourceChanged(Exception):
    """The content is no longer the one that the download began with."""


@dataclass(frozen=True)
class Version:
    """What tells one content of an address from another.

    Attributes:
        size: bytes. etag: as sent, with quotes and weakness mark. modified: the date as sent.
    """

    size: int
    etag: str | None = None
    modified: str | None = None

    @property
    def is_marked(self) -> bool:
        """There is more than the size to go by."""
        return bool(self.etag or self.modified)

    def same_as(self, other: "Version") -> bool:
        """Whether both describe the same content.

        Servers of a farm may give one file several entity tags; with size and date equal they count as the same.
        """
        if self.size != other.size:
            return False
        if self.etag and other.etag and self.etag == other.etag:
            return True
        if self.modified and other.modified:
            return self.modified == other.modified
        return self.etag == other.etag and self.modified == other.modified


@dataclass
class Reply:
    """An answer whose body is about to come.

    Attributes:
        start: offset of the body's first byte. length: bytes of the body, None if not told.
        version: None where the whole size is not told.
        ranged: the server sent the range that was asked for, and can do so again.
        body: pieces of the body; raises :class:`Trouble` when it breaks off. close: gives up what is left of it.
    """

    start: int
    length: int | None
    version: Version | None
    ranged: bool
    body: AsyncIterator[bytes]
    close: Callable[[], None]

    @property
    def size(self) -> int | None:
        """Bytes of the whole content, None if not told."""
        return self.version.size if self.version else self.length


class Remote(Protocol):
    """A source that can be asked for a range of bytes."""

    def read(
        self, start: int, end: int | None, expected: Version | None = None, *, plain: bool = False
    ) -> AbstractAsyncContextManager[Reply]:
        """Ask for the bytes from ``start`` up to, not including, ``end`` (None: to the last one).

        Args:
            plain: ask for all of it, in the plainest way, whatever start and end.
            expected: the version that the download began with, if it has begun.

        Raises:
            Trouble: it does not work, or not now.
            SourceChanged: it is another content than ``expected``.
            PermanentError: ``input_forbidden_address``, ``input_empty``.
        """
        ...

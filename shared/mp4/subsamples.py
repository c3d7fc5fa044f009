"""Which bytes of a sample stay in the clear where it is encrypted (ISO/IEC 23001-7, 9.5). Pure."""

from collections.abc import Callable

Spans = tuple[tuple[int, int], ...]
"""Of a sample, by turns from its beginning: bytes that are clear, and bytes after them that are protected."""

SampleMap = Callable[[bytes | memoryview], Spans]
"""Which bytes of a sample are protected; the samples of a track have to come in their order. Raises MalformedMedia."""

_MOST_CLEAR = 0xFFFF


class SubsampleMap:
    """Puts the map of one sample together."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []
        self._clear = 0

    def add(self, clear: int, protected: int) -> None:
        """So many clear bytes come next, then so many protected ones; clear ones on end become one span."""
        self._clear += clear
        if protected:
            self._close(protected)

    def finished(self) -> Spans:
        """The whole map."""
        if self._clear:
            self._close(0)
        return tuple(self._spans)

    def _close(self, protected: int) -> None:
        # The field for clear bytes has 16 bits.
        while self._clear > _MOST_CLEAR:
            self._spans.append((_MOST_CLEAR, 0))
            self._clear -= _MOST_CLEAR
        self._spans.append((self._clear, protected))
        self._clear = 0

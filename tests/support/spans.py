"""A recorder of spans that keeps them for the test."""

from shared.tracing.spans import Span


class KeptSpans:
    """Keeps what it is given.

    Attributes:
        spans: in the order of their ends.
    """

    def __init__(self, ratio: float = 1.0) -> None:
        self.ratio = ratio
        self.spans: list[Span] = []

    def record(self, span: Span) -> None:
        """Keep one."""
        self.spans.append(span)

    def of_work(self) -> list[Span]:
        """Those of deliveries."""
        return [span for span in self.spans if span.kind == "consumer"]

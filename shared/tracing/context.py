"""The context of a trace as it travels: the header ``traceparent`` of W3C Trace Context, version 00."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

TRACEPARENT = "traceparent"
"""Name of the header, of HTTP requests and of messages alike."""

# A later version may have more after the flags; what stands before is read as that of version 00.
_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 0x01
_TRACE_BITS, _SPAN_BITS = 128, 64


@dataclass(frozen=True)
class TraceContext:
    """A span as others refer to it.

    Attributes:
        trace_id: 128 bits. span_id: 64 bits. Neither is 0.
        sampled: whether the spans of this trace are recorded.
    """

    trace_id: int
    span_id: int
    sampled: bool = True

    @classmethod
    def root(cls, ratio: float = 1.0) -> Self:
        """The first span of a new trace; of all traces, this share is sampled."""
        trace_id = _random(_TRACE_BITS)
        return cls(trace_id, _random(_SPAN_BITS), in_ratio(trace_id, ratio))

    def child(self) -> Self:
        """A further span of the same trace."""
        return replace(self, span_id=_random(_SPAN_BITS))

    def derived(self, name: str) -> Self:
        """The span of the same trace which has this name: whoever asks, and whenever, gets the same one."""
        digest = hashlib.sha256(f"{self.trace_hex} {name}".encode()).digest()
        return replace(self, span_id=int.from_bytes(digest[:8]) or 1)

    @property
    def trace_hex(self) -> str:
        """The trace id as 32 hex digits."""
        return f"{self.trace_id:032x}"

    @property
    def span_hex(self) -> str:
        """The span id as 16 hex digits."""
        return f"{self.span_id:016x}"

    @property
    def traceparent(self) -> str:
        """What stands in the header."""
        return f"00-{self.trace_hex}-{self.span_hex}-{_SAMPLED if self.sampled else 0:02x}"


def read_context(headers: Mapping[str, str] | None) -> TraceContext | None:
    """The context in the headers of a request or message; None where there is none, or none that is well formed."""
    found = _FORM.fullmatch((headers or {}).get(TRACEPARENT, ""))
    if found is None or (found[0].startswith("00") and found[4]):
        return None
    return TraceContext(int(found[1], 16), int(found[2], 16), bool(int(found[3], 16) & _SAMPLED))


def in_ratio(trace_id: int, ratio: float) -> bool:
    """Whether a trace is among the share of all traces that is sampled. All services that have the same share agree."""
    low = trace_id & ((1 << _SPAN_BITS) - 1)
    return low < ratio * (1 << _SPAN_BITS)


def _random(bits: int) -> int:
    return secrets.randbelow((1 << bits) - 1) + 1

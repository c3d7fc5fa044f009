"""The context of a trace as it travels: the headers ``traceparent`` and ``tracestate`` of W3C Trace Context, version 00."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
"""Names of the headers, of HTTP requests and of messages alike."""

# A later version may have more after the flags; what stands before is read as that of version 00.
_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
# What vendors of tracing have put there, a member each: section 3.3.1 of the recommendation. Nobody has to pass on more than
# 32 members and 512 characters.
_MEMBER = re.compile(r"(?:[a-z0-9][a-z0-9_*/-]{0,240}@)?[a-z0-9][a-z0-9_*/-]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]")
_MOST_MEMBERS, _MOST_STATE = 32, 512
_SAMPLED = 0x01
_TRACE_BITS, _SPAN_BITS = 128, 64


@dataclass(frozen=True)
class TraceContext:
    """A span as others refer to it.

    Attributes:
        trace_id: 128 bits. span_id: 64 bits. Neither is 0.
        sampled: whether the spans of this trace are recorded.
        state: what others have put into ``tracestate``, passed on as it came; empty where nobody has.
    """

    trace_id: int
    span_id: int
    sampled: bool = True
    state: str = ""

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

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request or message that belongs to it."""
        return {TRACEPARENT: self.traceparent} | ({TRACESTATE: self.state} if self.state else {})


def read_context(headers: Mapping[str, str] | None) -> TraceContext | None:
    """The context in the headers of a request or message; None where there is none, or none that is well formed."""
    found = _FORM.fullmatch((headers or {}).get(TRACEPARENT, ""))
    if found is None or (found[0].startswith("00") and found[4]):
        return None
    state = _read_state((headers or {}).get(TRACESTATE, ""))
    return TraceContext(int(found[1], 16), int(found[2], 16), bool(int(found[3], 16) & _SAMPLED), state)


def _read_state(text: str) -> str:
    """What is passed on of it: all or nothing, but for what is too much at its end."""
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    if not all(_MEMBER.fullmatch(member) for member in members):
        return ""
    members = members[:_MOST_MEMBERS]
    while len(state := ",".join(members)) > _MOST_STATE:
        members.pop()
    return state


def in_ratio(trace_id: int, ratio: float) -> bool:
    """Whether a trace is among the share of all traces that is sampled. All services that have the same share agree."""
    low = trace_id & ((1 << _SPAN_BITS) - 1)
    return low < ratio * (1 << _SPAN_BITS)


def _random(bits: int) -> int:
    return secrets.randbelow((1 << bits) - 1) + 1

"""How much a source may try our patience: failures in a row, slowness, length. Pure but for the clock it is given.

A source that is out of order is waited for without a slot: an :class:`Outage` after a few seconds here, in which a connection
that broke by chance is opened again.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from services.fetcher.download.remote import Trouble
from shared.errors import Outage, PermanentError

QUICK_TRIES, QUICK_SECONDS = 3, 15.0
"""For a source to which there is no connection at all; and seconds without a byte from one that answers, but gives none."""

_FIRST_DELAY, _LONGEST_DELAY = 0.25, 15.0


@dataclass(frozen=True)
class PatienceLimits:
    """All in seconds, but ``bytes_per_second``.

    Attributes:
        total: for the whole download. without_progress: since the last byte that came, from a source that falls silent.
        first_contact: while there has never been a connection; None where that is waited for like anything else.
        bytes_per_second: the least speed, over a stretch of ``without_progress`` seconds.
    """

    total: float
    without_progress: float
    bytes_per_second: float
    first_contact: float | None = None


class Patience:
    """Judges one download as it goes.

    Args:
        clock: seconds, monotonic.
        spent: seconds that earlier attempts at the same download took; they count towards the total.
        known: something came from there in an earlier attempt.
    """

    def __init__(
        self, limits: PatienceLimits, clock: Callable[[], float], *, spent: float = 0, known: bool = False
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._spent_before = spent
        self._known = known
        self._began = self._last_progress = clock()
        self._failures = 0
        self._received = 0
        self._short = min(QUICK_SECONDS, limits.without_progress)
        self._marks: deque[tuple[float, int]] = deque([(self._began, 0)])

    @property
    def spent(self) -> float:
        """Seconds that the download has taken so far, earlier attempts included."""
        return self._spent_before + self._clock() - self._began

    def received(self, count: int) -> None:
        """Bytes have come.

        Raises:
            PermanentError: ``input_timeout``: it takes too long, or comes too slowly.
        """
        now = self._clock()
        self._last_progress, self._failures = now, 0
        self._received += count
        self._check_total()
        if now - self._marks[-1][0] >= 1:
            self._marks.append((now, self._received))
        while now - self._marks[1][0] >= self._limits.without_progress if len(self._marks) > 1 else False:
            self._marks.popleft()
        began, before = self._marks[0]
        if now - began >= self._limits.without_progress:
            speed = (self._received - before) / (now - began)
            if speed < self._limits.bytes_per_second:
                raise PermanentError(
                    "input_timeout",
                    f"only {speed:.0f} bytes a second came in the last {now - began:.0f} s, "
                    f"at least {self._limits.bytes_per_second:.0f} are required",
                )

    def after(self, trouble: Trouble) -> float:
        """Seconds to wait before the next try.

        Raises:
            PermanentError: there is no point in another one. Outage: there may be later, when this slot need not wait for it.
        """
        now = self._clock()
        self._failures += 1
        if trouble.kind == "refused":
            raise PermanentError("input_unreachable", self._told(trouble), cause=trouble.cause, remedy=trouble.remedy)
        if trouble.kind in ("misaddressed", "unconnected") and (
            self._failures >= QUICK_TRIES or now - self._last_progress > QUICK_SECONDS
        ):
            # An address that leads nowhere is mistyped; where something came from there before, it is out of order. Where
            # nobody listens it may be either, and people who have mistyped it want to hear of it soon.
            strange = not (self._known or self._received)
            if trouble.kind == "misaddressed" and strange:
                raise PermanentError("input_unreachable", self._told(trouble))
            longest = self._limits.first_contact if strange else None
            raise Outage("input_unreachable", self._told(trouble), remedy=trouble.remedy, longest=longest)
        self._check_total()
        # Grows with the silence, not with the number of failures: several connections fail at the same time.
        delay = min(max(_FIRST_DELAY, now - self._last_progress), _LONGEST_DELAY)
        if trouble.retry_after is not None:
            delay = max(delay, trouble.retry_after)
        stalled = trouble.kind == "stalled"
        if now + delay - self._last_progress > (self._limits.without_progress if stalled else self._short):
            code = "input_timeout" if stalled else "input_unreachable"
            raise Outage(code, self._told(trouble), retry_after=trouble.retry_after)
        return delay

    def _told(self, trouble: Trouble) -> str:
        tries = f", {self._failures} times in a row" if self._failures > 1 else ""
        came = f", after {self._received} bytes" if self._received else ""
        return f"{trouble.detail}{tries}{came}"

    def _check_total(self) -> None:
        if self.spent > self._limits.total:
            raise PermanentError("input_timeout", f"not finished after {self.spent:.0f} s")

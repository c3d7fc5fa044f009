"""When to try again."""

import random
from dataclasses import dataclass

RETRIED = frozenset({408, 500, 502, 503, 504})
"""Statuses after which what is safe to repeat is sent again. (After 429 nothing was done, so that everything is.)"""


@dataclass(frozen=True)
class Retries:
    """How often and how fast requests are tried again.

    Attributes:
        attempts: in all; 1 for no retries.
        first_pause: seconds before the second attempt. It doubles with each, and jitter takes up to half of it away.
        longest_pause: in seconds. Where the server asks for a longer one (``Retry-After``), the error is raised at once.
    """

    attempts: int = 5
    first_pause: float = 0.5
    longest_pause: float = 60.0

    def pause(self, failures: int, asked: float | None = None) -> float | None:
        """Seconds to wait after so many failures; None if it is time to give up.

        Args:
            asked: what the server has asked for; never less than that is waited.
        """
        if failures >= self.attempts or (asked or 0.0) > self.longest_pause:
            return None
        own = min(self.first_pause * 2.0 ** (failures - 1), self.longest_pause)
        return max(own * random.uniform(0.5, 1.0), asked or 0.0)  # noqa: S311 (jitter, no secret)

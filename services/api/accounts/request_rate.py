"""How many requests a minute an organization may send, and an address for one. Each process counts for itself."""

import math
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from services.api.contract.errors import TooManyRequests
from services.api.contract.quotas import in_force, too_many_requests

_MINUTE = 60.0
# Memory stays bounded; whoever has been silent the longest is forgotten first.
MOST_KEYS = 10_000


class MinuteRate:
    """Lets each key take a minute's requests at once, and after that as many as its rate gives back.

    Of each key one instant is kept: when it will have all of a minute's requests at hand again. So a request costs the same
    whatever the rate, and no key is in another one's way.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._full_again: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str, per_minute: int) -> int:
        """Count a request. Returns 0, or whole seconds until the next one is allowed, where it is one too many."""
        if seconds := self.wait(key, per_minute):
            return seconds
        self._full_again[key] = max(self._full_again.get(key, 0.0), self._clock()) + _MINUTE / per_minute
        self._full_again.move_to_end(key)
        if len(self._full_again) > MOST_KEYS:
            self._full_again.popitem(last=False)
        return 0

    def wait(self, key: str, per_minute: int) -> int:
        """Whole seconds until the next request is allowed; 0 for now. Nothing is counted."""
        now, cost = self._clock(), _MINUTE / per_minute
        left = max(self._full_again.get(key, now) - now, 0.0) + cost - _MINUTE
        # A rounding error must not cost the last request.
        return max(1, math.ceil(left)) if left > cost / 2 else 0

    def give_back(self, key: str, per_minute: int) -> None:
        """Take back what a request was counted for."""
        if key in self._full_again:
            self._full_again[key] -= _MINUTE / per_minute


class RequestRate:
    """How many requests a minute organizations may send.

    Args:
        per_minute: for organizations without a quota of their own; 0 is no limit.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_minute = per_minute
        self._rate = MinuteRate(clock)

    def count(self, org: str, own: int | None) -> None:
        """Count a request of an organization, whose own quota is ``own``.

        Raises:
            QuotaExceeded: it is one too many, and is not counted.
        """
        limit = in_force(own, self._per_minute)
        if limit and (seconds := self._rate.take(org, limit)):
            raise too_many_requests(limit, seconds)


class AddressRate:
    """How many requests a minute of those that need no token may come from one address.

    Good ones are counted for each organization, and others for all together: whoever names organizations that there are not
    would have as many counts as he likes.

    Args:
        per_minute: 0 is no limit.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_minute = per_minute
        self._good = MinuteRate(clock)
        # A place of their own, so that no number of them drives counts of good ones out of memory.
        self._others = MinuteRate(clock)

    def begin(self, org: str, address: str) -> None:
        """Count a request, which is none of the good ones until :meth:`is_good` says so.

        Raises:
            TooManyRequests: it is one too many, and is not counted.
        """
        if not self._per_minute:
            return
        seconds = self._good.wait(_key(org, address), self._per_minute) or self._others.take(address, self._per_minute)
        if seconds:
            raise TooManyRequests(seconds)

    def is_good(self, org: str, address: str) -> None:
        """Count a request that was begun for the organization, which it had the right to ask."""
        if self._per_minute:
            self._others.give_back(address, self._per_minute)
            self._good.take(_key(org, address), self._per_minute)


def _key(org: str, address: str) -> str:
    return f"{org} {address}"

"""How many requests a minute an organization may send. Each process counts for itself."""

import math
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from services.api.contract.quotas import in_force, too_many_requests

_MINUTE = 60.0
# Memory stays bounded; whoever has been silent the longest is forgotten first.
MOST_ORGANIZATIONS = 10_000


class RequestRate:
    """Lets an organization send a minute's requests at once, and after that as many as its rate gives back.

    Of each organization one instant is kept: when it will have all of a minute's requests at hand again. So a request costs
    the same whatever the rate, and no organization is in another one's way.

    Args:
        per_minute: for organizations without a quota of their own; 0 is no limit.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._full_again: OrderedDict[str, float] = OrderedDict()

    def count(self, org: str, own: int | None) -> None:
        """Count a request of an organization, whose own quota is ``own``.

        Raises:
            QuotaExceeded: it is one too many, and is not counted.
        """
        limit = in_force(own, self._per_minute)
        if not limit:
            return
        now, cost = self._clock(), _MINUTE / limit
        full_again = max(self._full_again.get(org, now), now) + cost
        # A rounding error must not cost the last request.
        if full_again - now > _MINUTE + cost / 2:
            raise too_many_requests(limit, max(1, math.ceil(full_again - now - _MINUTE)))
        self._full_again[org] = full_again
        self._full_again.move_to_end(org)
        if len(self._full_again) > MOST_ORGANIZATIONS:
            self._full_again.popitem(last=False)

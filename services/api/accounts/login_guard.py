"""Who may try to log in now. Checking a password takes memory and time, so how many wait for it has a bound.

A flood of logins must neither queue without end nor keep others out. So the logins from one address stand in a line of their own,
of which only the first is checked, and an address has so many failures a minute. A user who has logged in from an address
before has a line of his own there. Unknown names are treated as known ones, or the answers would tell which is which. Each
process counts for itself.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from services.api.accounts.throttle import MOST_KEYS, FailureThrottle
from services.api.contract.errors import TooManyRequests, Unavailable

MOST_IN_LINE = 24
"""Logins from one address that wait for each other."""
MOST_CHECKED = 32
"""Logins that are being checked, one of each line; a few are hashed, the others wait for that."""
MOST_OF_STRANGERS = 24
"""Those among them that may be of users who have not logged in from that address before."""
_SOON_SECONDS = 2


@dataclass
class Attempt:
    """A login that is being checked. Its user sets what it came to; left as it is, it does not count."""

    succeeded: bool = False
    failed: bool = False


@dataclass
class _Line:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0


class LoginGuard:
    """Lets logins be checked one after the other, or refuses them.

    Args:
        per_name: failures a minute for a user name from one address. per_address: those from one address, whatever the names.
    """

    def __init__(self, per_name: int, per_address: int, clock: Callable[[], float] = monotonic) -> None:
        self._names = FailureThrottle(per_name, clock)
        self._addresses = FailureThrottle(per_address, clock)
        self._at_home: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lines: dict[tuple[str, str], _Line] = {}
        self._checked = 0

    @asynccontextmanager
    async def attempt(self, username: str, address: str) -> AsyncIterator[Attempt]:
        """A block in which a login is checked; entering it waits for those before it in line.

        Raises:
            TooManyRequests: too many failures, or too many in line, from there. Unavailable: too many at a time in all.
        """
        name = (username, address)
        at_home = name in self._at_home
        self._refuse_after_failures(name, at_home=at_home)
        key = name if at_home else ("", address)
        line = self._lines.setdefault(key, _Line())
        if line.length >= MOST_IN_LINE:
            raise TooManyRequests(_SOON_SECONDS)
        line.length += 1
        try:
            async with line.turn:
                # Those before it may have failed.
                self._refuse_after_failures(name, at_home=at_home)
                if self._checked >= (MOST_CHECKED if at_home else MOST_OF_STRANGERS):
                    raise Unavailable("Too many logins are being checked. Try again.", _SOON_SECONDS)
                self._checked += 1
                attempt = Attempt()
                try:
                    yield attempt
                finally:
                    self._checked -= 1
                    self._note(name, attempt)
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[key]

    def _refuse_after_failures(self, name: tuple[str, str], *, at_home: bool) -> None:
        wait = self._names.wait_seconds(name)
        if not at_home:
            wait = max(wait, self._addresses.wait_seconds(_anybody_from(name)))
        if wait:
            raise TooManyRequests(wait)

    def _note(self, name: tuple[str, str], attempt: Attempt) -> None:
        if attempt.failed:
            self._names.failed(name)
            self._addresses.failed(_anybody_from(name))
        elif attempt.succeeded:
            self._names.succeeded(name)
            self._at_home[name] = None
            self._at_home.move_to_end(name)
            if len(self._at_home) > MOST_KEYS:
                self._at_home.popitem(last=False)


def _anybody_from(name: tuple[str, str]) -> tuple[str, str]:
    return "", name[1]

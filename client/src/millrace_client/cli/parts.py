"""How many parts of a job are done, for whoever asks again and again."""

from collections.abc import Callable
from dataclasses import dataclass

from millrace_client.models import Timeline


@dataclass(frozen=True)
class Parts:
    """Parts of a job that are encoded, and all that it has."""

    done: int
    all: int


class PartCounter:
    """Counts by pages of the timeline. A page of which all is done is not read again, so that a question costs a page.

    Args:
        read: a page of the job's timeline, by its number from 1 on.
    """

    def __init__(self, read: Callable[[int], Timeline]) -> None:
        self._read = read
        self._page = 1
        self._before = 0

    def __call__(self) -> Parts:
        """As it is now. Parts are requested in the order of the pages; of those behind the first unfinished page none counts."""
        while True:
            found = self._read(self._page)
            done = sum(part.encode is not None for part in found.parts)
            if done < len(found.parts) or not found.more:
                return Parts(self._before + done, found.count)
            self._before += done
            self._page += 1

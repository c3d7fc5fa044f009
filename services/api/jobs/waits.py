"""What jobs wait for, as workers tell it beside the log."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from shared.waiting import Waiting

FRESH_SECONDS = 600.0
"""Whoever waits says so again at every try, every few minutes at least. What nobody repeats any more is not shown."""

MOST_JOBS = 5_000
MOST_OF_A_JOB = 1_100

_NO_ROOM = "workspace_full"


@dataclass(frozen=True)
class _Heard:
    org: str
    waiting: Waiting
    at: float


class Waits:
    """The newest that was heard of each piece of work. Hearing nothing harms nothing: then nothing is shown.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._jobs: OrderedDict[str, dict[str, _Heard]] = OrderedDict()
        # By job, so that whoever has shown a state can tell whether it is the newest.
        self._changes = 0
        self._changed: OrderedDict[str, int] = OrderedDict()
        self._no_room: dict[tuple[str, str], _Heard] = {}

    def heard(self, org: str, job: str, work: str, body: bytes) -> None:
        """A piece of work waits; with an empty body, it does not any more. What cannot be read is ignored."""
        try:
            waiting = Waiting.model_validate_json(body) if body else None
        except ValidationError:
            return
        self._change(job)
        self._no_room.pop((job, work), None)
        waits = self._jobs.pop(job, {})
        waits.pop(work, None)
        if waiting and len(waits) < MOST_OF_A_JOB:
            waits[work] = heard = _Heard(org, waiting, self._clock())
            if waiting.code == _NO_ROOM:
                self._no_room[job, work] = heard
        if waits:
            self._jobs[job] = waits
        while len(self._jobs) > MOST_JOBS:
            self.ended(next(iter(self._jobs)))

    def ended(self, job: str) -> None:
        """Nothing of a job waits any more."""
        for work in self._jobs.pop(job, {}):
            self._no_room.pop((job, work), None)
        self._changed.pop(job, None)

    def of(self, job: str) -> Waiting | None:
        """What a job waits for; of several things that which is given up first."""
        fresh = [heard.waiting for heard in self._jobs.get(job, {}).values() if self._is_fresh(heard)]
        return min(fresh, key=lambda waiting: waiting.until, default=None)

    def each_of(self, job: str) -> dict[str, Waiting]:
        """What each piece of a job's work waits for, by its name."""
        heard = self._jobs.get(job, {})
        return {work: found.waiting for work, found in heard.items() if self._is_fresh(found)}

    def changes(self, job: str) -> int:
        """A number that grows whenever something is heard of a job."""
        return self._changed.get(job, 0)

    def short_of_room(self) -> frozenset[str]:
        """Organizations with work for which there is no room in the work space at present."""
        return frozenset(heard.org for heard in self._no_room.values() if self._is_fresh(heard))

    def by_code(self) -> Counter[str]:
        """How many jobs wait at present, by the error code of what they wait for."""
        found = Counter[str]()
        for waits in self._jobs.values():
            found.update({heard.waiting.code for heard in waits.values() if self._is_fresh(heard)})
        return found

    def held_up(self) -> Counter[str]:
        """How many jobs of each organization wait for a source or a storage at present."""
        found = Counter[str]()
        for waits in self._jobs.values():
            orgs = {heard.org for heard in waits.values() if heard.waiting.code != _NO_ROOM and self._is_fresh(heard)}
            found.update(orgs)
        return found

    def _is_fresh(self, heard: _Heard) -> bool:
        return self._clock() - heard.at < FRESH_SECONDS

    def _change(self, job: str) -> None:
        self._changes += 1
        self._changed[job] = self._changes
        self._changed.move_to_end(job)
        while len(self._changed) > MOST_JOBS:
            self._changed.popitem(last=False)

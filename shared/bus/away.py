"""What a process has handed back because it was not its turn, and what has not come again yet. Pure but for the clock."""

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass

from shared.bus.work import Work

_AWAY_SECONDS = 600.0
# How long others give way to what was handed back and should have come again. It may have gone to another process.
_SOUGHT_SECONDS = 2.0
# What is due comes before what was never delivered, but the server looks only now and then for what is due.
_LATE_SECONDS = 0.5
# What comes by itself so soon is not called back: the call might arrive when another process has it, and have it come twice.
_SOON_SECONDS = 1.0
# What is called back and is put off once more, because somebody else has come meanwhile, does not go to and fro without a pause.
_LEAST_SECONDS = 0.5
_MOST_REMEMBERED = 1000


@dataclass
class _Absence:
    """Since when and until when work is away, how it is called back (empty: not at all), and since when others give way to it."""

    work: Work
    since: float
    due: float
    reply: str
    sought: float | None = None


class Away:
    """The work that a process has handed back.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._absences: OrderedDict[str, _Absence] = OrderedDict()

    @property
    def works(self) -> list[Work]:
        """What is to come again, as far as is known."""
        now = self._clock()
        return [absence.work for absence in self._absences.values() if now < absence.due + _AWAY_SECONDS]

    @property
    def due(self) -> list[Work]:
        """What lies before the consumer again, if no other process has taken it."""
        now = self._clock()
        return [
            absence.work
            for absence in self._absences.values()
            if absence.due <= now < absence.due + _AWAY_SECONDS
            and (absence.sought is None or now < absence.sought + _SOUGHT_SECONDS)
        ]

    @property
    def callable(self) -> list[Work]:
        """What can be called back: it would not come by itself for a while."""
        now = self._clock()
        return [
            one.work
            for one in self._absences.values()
            if one.reply and one.since + _LEAST_SECONDS <= now < one.due - _SOON_SECONDS
        ]

    def put_off(self, work: Work, seconds: float, before: Collection[Work] = (), *, reply: str = "") -> None:
        """A message is handed back.

        Args:
            seconds: until it comes again.
            before: what it gives way to.
            reply: subject by which it is called back.
        """
        now = self._clock()
        for other in before:
            absence = self._absences.get(other.subject)
            if absence and absence.sought is None:
                absence.sought = now
        self._absences[work.subject] = _Absence(work, now, now + seconds, reply)
        self._absences.move_to_end(work.subject)
        if len(self._absences) > _MOST_REMEMBERED:
            self._absences.popitem(last=False)

    def call_back(self, work: Work) -> str:
        """Work is due from now on; returns the subject by which its message is called."""
        absence, now = self._absences[work.subject], self._clock()
        absence.due = absence.sought = now
        return absence.reply

    def has_come(self, work: Work, *, redelivered: bool) -> None:
        """A message was delivered here.

        What was handed back and is due comes before what has never been delivered, in the order in which it is due. So what
        ought to have come before this one has gone to another process.
        """
        found = self._absences.get(work.subject)
        before = found.due - 1 if found else float("-inf") if redelivered else self._clock() - _LATE_SECONDS
        for subject in [subject for subject, absence in self._absences.items() if absence.due < before]:
            del self._absences[subject]

    def begins(self, work: Work) -> None:
        """Work has come, and has a slot."""
        self._absences.pop(work.subject, None)

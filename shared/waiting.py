"""What a job waits for: a storage, a source or a work space that is out of order, and for how long it has been."""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

MOST_COUNTED = 300.0
"""Seconds of waiting that one failure can prove. A clock that was set, or hours in which no worker ran, are no outage."""


class Waiting(BaseModel):
    """What is shown of it.

    Attributes:
        code: the error code with which the job would end. message: a sentence that says what is out of order.
        service: the service that waits. since: when it failed first. until: when it is given up.
    """

    model_config = ConfigDict(frozen=True)
    code: str
    message: str
    service: str
    since: datetime
    until: datetime


class Wait(BaseModel):
    """How long a piece of work has waited, over all deliveries in a row that failed for the same reason.

    Attributes:
        since, last: when it failed first, and most recently. seconds: how long that is, as far as it counts.
    """

    model_config = ConfigDict(frozen=True)
    since: datetime
    last: datetime
    seconds: float = 0.0

    def failed_again(self, now: datetime) -> "Wait":
        """It still fails."""
        step = min(max((now - self.last).total_seconds(), 0.0), MOST_COUNTED)
        return Wait(since=self.since, last=now, seconds=self.seconds + step)

    def until(self, longest: float) -> datetime:
        """When it will have waited so many seconds."""
        return self.last + timedelta(seconds=max(longest - self.seconds, 0.0))

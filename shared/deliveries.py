"""Webhook deliveries on the bus: the attempts to make, and the facts about attempts made."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.events import now
from shared.ids import JobId, OrgCode
from shared.job import Told

# These become tokens of subjects and keys of buckets: no dot, no wildcard, no blank.
HookId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

Outcome = Literal["delivered", "failed", "gave_up", "superseded", "disabled"]
"""What became of an attempt. ``failed`` is followed by another one at ``next_attempt_at``, if there is such a time."""


class Hook(BaseModel):
    """A webhook as the notifier gets it, through the sealed bucket that the api writes.

    After a rotation of its secret, ``previous_secret_token`` signs beside the new one until ``previous_until``.
    """

    model_config = ConfigDict(frozen=True)
    id: HookId
    url: str
    secret_token: str
    enabled: bool = True
    previous_secret_token: str | None = None
    previous_until: datetime | None = None

    def secrets_at(self, instant: datetime) -> tuple[str, ...]:
        """The secret tokens that sign at an instant, the newest first."""
        if self.previous_secret_token and self.previous_until and instant < self.previous_until:
            return self.secret_token, self.previous_secret_token
        return (self.secret_token,)


class WebhookAttempt(BaseModel):
    """An attempt to make. Said by the notifier for each status and hook, and by the api to redeliver.

    ``sequence`` is the place in the log of the event that brought the status: the payload is the fold up to there.
    ``attempt`` counts from 1. ``redelivery`` (unique, a uuid say) marks one that a user asked for: it is sent once, whatever
    was sent before. One without it wakes the notifier to do whatever is due for that job and hook, in the right order.
    ``test`` marks one of a sample job, which the log does not know; it is a redelivery, too, with ``sequence`` 0.
    """

    model_config = ConfigDict(frozen=True)
    v: Literal[1] = 1
    org: OrgCode
    job: JobId
    hook: HookId
    status: Told
    sequence: int
    attempt: int = 1
    redelivery: HookId | None = None
    test: bool = False

    @property
    def message_id(self) -> str:
        """The ``webhook-id``: the same on every attempt of one message."""
        return f"msg_{self.job}_{self.status}_{self.hook}" + (f"_{self.redelivery}" if self.redelivery else "")

    @property
    def token(self) -> str:
        """The end of its subjects: ``<org>.<job>.<hook>.<status>``."""
        return f"{self.org}.{self.job}.{self.hook}.{self.status}" + (f"-{self.redelivery}" if self.redelivery else "")

    @property
    def subject(self) -> str:
        """Where it is taken up."""
        return f"webhooks.attempt.{self.token}"

    @property
    def schedule_subject(self) -> str:
        """Where it waits for its time, as a scheduled message."""
        return f"webhooks.schedule.{self.token}"


class ResponseHeader(BaseModel):
    """A header of an answer."""

    model_config = ConfigDict(frozen=True)
    name: str
    value: str


class ResponseHead(BaseModel):
    """The beginning of what a receiver answered, without secrets. ``truncated`` says that more was to come."""

    model_config = ConfigDict(frozen=True)
    headers: tuple[ResponseHeader, ...] = ()
    body: str = ""
    truncated: bool = False


class DeliveryAttempted(BaseModel):
    """An attempt was made, or given up. Published by the notifier, consumed by the api's projector, which lists it.

    ``test`` says that it told of a sample job. ``response`` is None where there was no answer, and in records of notifiers
    that did not keep it. Stands at ``deliveries.<org>.<job>.<hook>.<status>``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    v: Literal[1] = 1
    org: OrgCode
    job: JobId
    hook: str
    message_id: str
    status: Told
    sequence: int
    attempt: int
    at: datetime = Field(default_factory=now)
    outcome: Outcome
    response_status: int | None = None
    error: str | None = None
    duration_ms: int = 0
    next_attempt_at: datetime | None = None
    response: ResponseHead | None = None
    test: bool = False

    @property
    def subject(self) -> str:
        """Its place in the stream of deliveries."""
        return f"deliveries.{self.org}.{self.job}.{self.hook}.{self.status}"

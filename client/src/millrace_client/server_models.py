"""What the server answers to operators: workers, queues and dead letters of all organizations."""

from datetime import datetime
from typing import Any

from millrace_client.models import Model, Resource


class UnderWay(Model):
    """A piece of work that a worker is at. ``attempt``: which delivery of it this is, counted from 1."""

    queue: str
    organization: str
    job: str
    work: str
    part: str | None = None
    since: datetime
    attempt: int = 1


class Worker(Resource):
    """A process of a service that works on jobs.

    Attributes:
        seen: when it was last heard of. state: ``idle``, ``working``, ``draining`` or ``lost``.
        slots: how much it does at the same time.
    """

    id: str
    service: str
    host: str
    pid: int
    started: datetime
    seen: datetime
    state: str
    slots: int
    running: tuple[UnderWay, ...] = ()


class Queue(Resource):
    """What waits for a service, or for admission.

    Attributes:
        waiting: how many nobody has taken yet. oldest_seconds: age of the oldest of these.
        under_way: taken and not done. repeated: those among them that were taken more than once.
        workers, slots: the living workers of the service, and how much they do at the same time.
    """

    name: str
    service: str
    waiting: int
    oldest_seconds: float
    under_way: int
    repeated: int
    workers: int
    slots: int
    idle_slots: int


class DeadLetter(Resource):
    """A message that a service has given up on."""

    id: int
    at: datetime | None = None
    service: str
    organization: str
    job: str
    subject: str
    reason: str


class DeadLetterDetail(DeadLetter):
    """A dead letter with the message that is in it."""

    body: Any = None


class Requeued(Resource):
    """What has become of a dead letter. ``job``: the one that runs an ended one again."""

    message: str
    job: str | None = None

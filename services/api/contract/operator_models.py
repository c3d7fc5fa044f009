"""What operators are shown of the server, and what they may have it do."""

from typing import Any, Literal

from pydantic import Field

from services.api.contract.members import Request
from services.api.contract.responses import Instant, Page, Response

WorkerState = Literal["idle", "working", "draining", "lost"]


class UnderWay(Response):
    """A piece of work that a worker is at."""

    queue: str = Field(description="Where it comes from", examples=["transcoder"])
    organization: str = Field(examples=["a1b2c3"])
    job: str = Field(examples=["5KQfnXCg8Qh"])
    work: str = Field(
        description="What the worker does: the event that calls for it, with the part",
        examples=["part_requested.v00012"],
    )
    part: str | None = Field(description="The part of the job, where it is one", examples=["v00012"])
    since: Instant
    attempt: int = Field(description="Which delivery of it this is, counted from 1", examples=[1])


class Worker(Response):
    """A process of a service that works on jobs."""

    id: str = Field(examples=["host-a-4711-5fd2c0a1"])
    service: str = Field(examples=["transcoder"])
    host: str = Field(examples=["host-a"])
    pid: int = Field(examples=[4711])
    started: Instant
    seen: Instant = Field(description="When it was last heard of; it says something every five seconds")
    state: WorkerState = Field(description="`lost` is one that has died or cannot reach NATS", examples=["working"])
    slots: int = Field(description="How much it does at the same time", examples=[1])
    running: list[UnderWay] = Field(description="What it is at, oldest first")


class WorkerPage(Page[Worker]):
    """A page of workers, by service and host."""


class DrainRequest(Request):
    """How a worker shall leave."""

    stay: bool = Field(
        False,
        description="It stays, without work, until it is stopped: where something would start another in its place.",
    )


class Queue(Response):
    """What waits for a service."""

    name: str = Field(description="`admission` has jobs, the others have pieces of work", examples=["transcoder"])
    service: str = Field(description="Who takes from it", examples=["transcoder"])
    waiting: int = Field(description="How many nobody has taken yet", examples=[3])
    oldest_seconds: float = Field(description="Age of the oldest of these; 0 if there is none", examples=[12.5])
    under_way: int = Field(description="Taken and not done: worked on, or to come again", examples=[2])
    repeated: int = Field(description="Those among them that were taken more than once", examples=[0])
    workers: int = Field(description="Living workers of the service", examples=[2])
    slots: int = Field(
        description="How much these do at the same time; of admission, how many jobs may run", examples=[2]
    )
    idle_slots: int = Field(description="Those that have nothing to do", examples=[0])


class QueuePage(Page[Queue]):
    """A page of queues, on the way of a job."""


class DeadLetter(Response):
    """A message that a service has given up on."""

    id: int = Field(examples=[17])
    at: Instant | None
    service: str = Field(description="Who has given up", examples=["transcoder"])
    organization: str = Field(examples=["a1b2c3"])
    job: str = Field(examples=["5KQfnXCg8Qh"])
    subject: str = Field(description="Of the message", examples=["jobs.a1b2c3.5KQfnXCg8Qh.part_requested.v00012"])
    reason: str = Field(description="Error code and what happened", examples=["encode_failed: …"])


class DeadLetterDetail(DeadLetter):
    """A dead letter with the message that is in it."""

    body: Any = Field(description="The message: JSON, or text where it is none", examples=[{"type": "part_requested"}])


class DeadLetterPage(Page[DeadLetter]):
    """A page of dead letters, newest first."""


class Requeued(Response):
    """What has become of a dead letter, which is gone."""

    message: str = Field(examples=["the work is in line again"])
    job: str | None = Field(description="The job that runs an ended one again, if there is one")

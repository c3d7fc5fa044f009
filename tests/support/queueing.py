"""A consumer of the bus and workers that pull from it, in time that passes only where the simulation says so.

The consumer is as JetStream's: what was handed back comes again after its delay, and before anything that has never been
delivered. The workers apply the turns of :mod:`shared.bus.turns`.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from types import SimpleNamespace
from typing import Any

from shared.bus.queue import DEPTH, Waiting
from shared.bus.slots import UNINTERRUPTED, Turn, TurnRules
from shared.bus.turns import LOOK_SECONDS, PutOff, Turns
from shared.bus.work import Work
from shared.events import PartRequested, Priority
from shared.ids import new_job_id

HAND_BACK_COST = 0.01
"""Seconds that a slot needs to hand a message back and ask for the next one."""


@dataclass
class Message:
    """A request of a part, with what became of it."""

    event: PartRequested
    sequence: int
    seconds: float
    asked: float
    delivered: int = 0
    begun: float | None = None
    ended: float | None = None
    crashes: int = 0

    def __post_init__(self) -> None:
        self.subject = f"jobs.{self.event.org}.{self.event.job}.part_requested.{self.event.part}"
        self.data = self.event.model_dump_json().encode()
        self.work = Work.of(self.subject, self.sequence, self.data)


@dataclass
class Worker:
    """A process with its slots."""

    turns: Turns
    slots: int


@dataclass
class Simulation:
    """Workers at one consumer.

    Args:
        workers: how many processes. slots: of each.
        on_end: called with each message whose work is over.
    """

    workers: int = 1
    slots: int = 1
    rules: TurnRules = UNINTERRUPTED
    on_end: Callable[[Message], None] = lambda _message: None
    now: float = 0.0
    messages: list[Message] = field(default_factory=list)
    begun: list[Message] = field(default_factory=list)
    hand_backs: int = 0

    def __post_init__(self) -> None:
        self._fresh: deque[Message] = deque()
        self._again: deque[Message] = deque()
        self._pulls: deque[Worker] = deque()
        self._asking: deque[Worker] = deque()
        self._workers: list[Worker] = []
        self._away: dict[str, Message] = {}
        self._looks = False
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()
        self._deciding: list[tuple[Worker, Message]] = []
        queue: Any = self
        for _ in range(self.workers):
            worker = Worker(Turns(queue, self.slots, self.rules, clock=lambda: self.now), self.slots)
            self._workers.append(worker)
            self._pulls.extend([worker] * self.slots)

    def request(
        self,
        *,
        seconds: float,
        left: float,
        org: str = "acme00",
        job: str = "",
        part: int = 0,
        priority: Priority = "normal",
        weight: float = 1.0,
    ) -> Message:
        """A part is requested now, whose work takes so many seconds."""
        event = PartRequested(
            org=org,
            job=job or new_job_id(),
            part=f"v{part:04d}",
            work=left,
            left=left,
            priority=priority,
            weight=weight,
        )
        message = Message(event, len(self.messages) + 1, seconds, self.now)
        self.messages.append(message)
        self._fresh.append(message)
        return message

    def at(self, when: float, act: Callable[[], object]) -> None:
        """Something happens at a time."""
        heapq.heappush(self._later, (when, next(self._order), act))

    async def look(self) -> Waiting:
        """What waits, as :class:`shared.bus.queue.Queue` tells it."""
        works = tuple(message.work for message in islice(self._fresh, DEPTH))
        return Waiting(
            works, len(self._pulls), sum(message.delivered > 1 and not message.ended for message in self.messages)
        )

    async def call_back(self, reply: str) -> None:
        """As :class:`shared.bus.queue.Queue` does it."""
        self._come_again(reply)

    async def run(self, until: float = 1e9) -> None:
        """Let time pass, until nothing happens any more or the time has come."""
        while True:
            await self._deliver()
            if not self._later or self._later[0][0] > until:
                return
            self.now, _, act = heapq.heappop(self._later)
            act()

    async def _deliver(self) -> None:
        if not self._looks and self._away:
            for worker in self._workers:
                await worker.turns.look_after()
            self._look_later()
        while self._asking:
            worker = self._asking.popleft()
            await worker.turns.call_back()
            self._pulls.append(worker)
        while self._pulls and (self._again or self._fresh):
            worker = self._pulls.popleft()
            message = (self._again or self._fresh).popleft()
            message.delivered += 1
            await self._take(worker, message)

    async def _take(self, worker: Worker, message: Message) -> None:
        metadata = SimpleNamespace(
            sequence=SimpleNamespace(stream=message.sequence),
            num_delivered=message.delivered,
            num_pending=len(self._fresh),
        )
        reply = f"{message.sequence} {message.delivered}"
        shown: Any = SimpleNamespace(subject=message.subject, data=message.data, metadata=metadata, reply=reply)
        begun = await worker.turns.begin(shown, message.event.org, crashes=message.crashes)
        if isinstance(begun, PutOff):
            self.hand_backs += 1
            self._away[shown.reply] = message
            self.at(self.now + begun.seconds, partial(self._come_again, shown.reply))
            self.at(self.now + HAND_BACK_COST, lambda: self._asking.append(worker))
            return
        message.begun = self.now
        self.begun.append(message)
        self.at(self.now + message.seconds, lambda: self._end(worker, message, begun))

    def _come_again(self, reply: str) -> None:
        if message := self._away.pop(reply, None):
            self._again.append(message)

    def _look_later(self) -> None:
        if not self._looks:
            self._looks = True
            self.at(self.now + LOOK_SECONDS, lambda: setattr(self, "_looks", False))

    def _end(self, worker: Worker, message: Message, turn: Turn) -> None:
        message.ended = self.now
        worker.turns.end(turn)
        self._asking.append(worker)
        self.on_end(message)

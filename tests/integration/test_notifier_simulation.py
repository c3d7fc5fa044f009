"""Many notifiers, jobs, failures and crashes in virtual time: whatever happens, order holds and nothing is lost.

The announcer and the deliverer are the real ones. The bus and the receivers are played by a small simulator, in which
every call takes a random while, so that each seed is another interleaving, and in which processes die at any call.
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings

from services.notifier.announce import Announcer
from services.notifier.concurrency import ConcurrencyLimits
from services.notifier.deliver import Deliverer
from services.notifier.delivery_queue import DeliveryQueue
from services.notifier.queue_store import Announced, Held
from services.notifier.receiver import Answer
from shared.deliveries import DeliveryAttempted, Hook, WebhookAttempt
from shared.events import Cancelled, Created, Event, Failed, Recorded, Started

ORG = "aaaaaa"
HOOKS = [
    Hook(id="one", url="http://one.example", secret_token="t"),
    Hook(id="two", url="http://two.example", secret_token="t"),
]
TIMEOUT = 15.0
DELAYS = (0, 5, 60, 60, 60, 60, 60, 60, 60, 60)
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """The process of this call is dead."""


@dataclass
class Message:
    body: Any
    visible_at: float = 0.0


@dataclass
class World:
    """The bus, the receivers and the time."""

    dice: random.Random
    lease: float
    # How many of all requests the receiver accepts, and accepts without our hearing of it.
    accepting: tuple[float, float]
    time: float = 0.0
    log: dict[str, list[Recorded]] = field(default_factory=dict)
    events: list[Message] = field(default_factory=list)
    attempts: list[Message] = field(default_factory=list)
    timers: dict[str, tuple[float, WebhookAttempt]] = field(default_factory=dict)
    queues: dict[str, Held] = field(default_factory=dict)
    announced: dict[str, Announced] = field(default_factory=dict)
    facts: list[DeliveryAttempted] = field(default_factory=list)
    journal: dict[tuple[str, str], list[tuple[str, int]]] = field(default_factory=dict)
    sleepers: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)
    counter: Any = field(default_factory=itertools.count)

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.time)

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self.sleepers, (self.time + seconds, next(self.counter), future))
        await future

    async def advance(self) -> None:
        """Let everybody run until he sleeps, then go to where the first one wakes up."""
        for _ in range(12):
            await asyncio.sleep(0)
        self.time, _, future = heapq.heappop(self.sleepers)
        if not future.done():
            future.set_result(None)

    def settled(self) -> bool:
        return not (self.events or self.attempts or self.timers)


class Process:
    """A notifier process; it plays the adapters of the bus for its own use cases."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.alive = True
        everything: Any = self
        limits = ConcurrencyLimits({"host": 3, "organization": 5}, lambda: world.time)
        self.announcer = Announcer(everything, everything, everything, everything, clock=world.now)
        self.deliverer = Deliverer(
            everything,
            everything,
            everything,
            everything,
            everything,
            limits,
            delays=DELAYS,
            timeout=TIMEOUT,
            clock=world.now,
        )
        self.tasks = [asyncio.create_task(self._slot(world.events, self._announce)) for _ in range(2)]
        self.tasks += [asyncio.create_task(self._slot(world.attempts, self.deliverer.deliver)) for _ in range(4)]

    async def _call(self) -> None:
        await self.world.sleep(self.world.dice.expovariate(1 / 0.05))
        if not self.alive:
            raise Killed

    async def _announce(self, item: Recorded) -> None:
        await self.announcer.announce(item.event, item.sequence)

    async def _slot(self, queue: list[Message], work: Callable[[Any], Any]) -> None:
        with suppress(Killed):
            await self._work(queue, work)

    async def _work(self, queue: list[Message], work: Callable[[Any], Any]) -> None:
        while True:
            await self._call()
            ready = [message for message in queue if message.visible_at <= self.world.time]
            if not ready:
                await self.world.sleep(2)
                continue
            message = self.world.dice.choice(ready)
            message.visible_at = self.world.time + self.world.lease
            keeper = asyncio.create_task(self._keep(message))
            try:
                await work(message.body)
            finally:
                keeper.cancel()
            await self._call()
            if message in queue:
                queue.remove(message)

    async def _keep(self, message: Message) -> None:
        while self.alive:
            message.visible_at = self.world.time + self.world.lease
            await self.world.sleep(self.world.lease / 3)

    # The log of jobs

    async def read(self, _org: str, job: str, *, at_least: int = 0) -> list[Recorded]:
        await self._call()
        assert self.world.log[job][-1].sequence >= at_least
        return list(self.world.log[job])

    # Hooks

    async def enabled(self, _org: str) -> list[Hook]:
        await self._call()
        return HOOKS

    async def find(self, _org: str, hook: str, *, even_disabled: bool = False) -> Hook:
        await self._call()
        return next(item for item in HOOKS if item.id == hook)

    # DeliveryQueues

    async def change(
        self, attempt: WebhookAttempt, change: Callable[[DeliveryQueue], DeliveryQueue], *, known: Held | None = None
    ) -> Held:
        key = f"{attempt.job}.{attempt.hook}"
        if not known:
            await self._call()
        held = known or self.world.queues.get(key, Held(DeliveryQueue(), 0))
        while (queue := change(held.queue)) != held.queue:
            await self._call()
            now = self.world.queues.get(key, Held(DeliveryQueue(), 0))
            if now.revision == held.revision:
                held = self.world.queues[key] = Held(queue, held.revision + 1)
                await self._call()
                return held
            held = now
        return held

    async def announced(self, _org: str, job: str) -> Announced | None:
        await self._call()
        return self.world.announced.get(job)

    async def note_announced(self, _org: str, job: str, announced: Announced) -> None:
        await self._call()
        self.world.announced[job] = announced

    # The publisher

    async def put(self, attempt: WebhookAttempt) -> None:
        await self._call()
        self.world.attempts.append(Message(attempt))

    async def put_at(self, attempt: WebhookAttempt, when: datetime) -> None:
        await self._call()
        self.world.timers[attempt.schedule_subject] = ((when - EPOCH).total_seconds(), attempt)

    async def cancel(self, attempt: WebhookAttempt) -> None:
        await self._call()
        self.world.timers.pop(attempt.schedule_subject, None)

    async def record(self, fact: DeliveryAttempted, *, once: bool = False) -> None:
        await self._call()
        self.world.facts.append(fact)

    # The receiver

    async def post(self, url: str, _secret: str, payload: Any) -> Answer:
        """It may accept, refuse, or accept without our hearing of it; it goes on when the sender dies."""
        job, status = payload.message_id.split("_")[1:3]
        sequence = next(
            item.sequence for item, told in zip(self.world.log[job], STATES[job], strict=True) if told == status
        )
        journal = self.world.journal.setdefault((url, job), [])
        journal.append(("came", sequence))
        await self.world.sleep(self.world.dice.uniform(0.01, TIMEOUT))
        fate = self.world.dice.random()
        heard, lost = self.world.accepting
        if fate < heard + lost:
            journal.append(("accepted", sequence))
        if not self.alive:
            raise Killed
        if fate < heard:
            return Answer(status=200)
        if fate < heard + lost:
            return Answer(error="lost", uncertain=True)
        return Answer(status=503, error="refused", retry_after=self.world.dice.choice([None, "30", "200"]))


STATES: dict[str, tuple[str, ...]] = {}


async def live(world: World, job: str) -> None:
    """The events of one job come into the log."""
    end: Event = world.dice.choice([Failed(org=ORG, job=job, code="x", message="x"), Cancelled(org=ORG, job=job)])
    told = "error" if isinstance(end, Failed) else "cancelled"
    created = Created(org=ORG, job=job, input_url="http://x", output_path="s3://b/p/", resolutions=("240p",))
    life: list[tuple[Event, str]] = [(created, "queued"), (Started(org=ORG, job=job), "transcoding"), (end, told)]
    if world.dice.random() < 0.2:
        del life[1]
    STATES[job] = tuple(status for _, status in life)
    world.log[job] = []
    for event, _ in life:
        item = Recorded(next(world.counter) + 1, event)
        world.log[job].append(item)
        world.events.append(Message(item))
        await world.sleep(world.dice.choice([0.001, 1.0, 20.0, 100.0]))


async def fire_timers(world: World) -> None:
    while True:
        await world.sleep(1)
        for subject, (when, attempt) in list(world.timers.items()):
            if when <= world.time:
                del world.timers[subject]
                world.attempts.append(Message(attempt))


class Inline(ThreadPoolExecutor):
    """Does the work of threads, which is writing log lines, at once: a thread would make each run of a seed another one."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


async def simulate(seed: int) -> World:
    asyncio.get_running_loop().set_default_executor(Inline())
    # A lease that is shorter than a claim, and the usual one; a receiver that wakes up at times, and one that hardly does.
    accepting = ((0.5, 0.1), (0.02, 0.05))[seed // 2 % 2]
    world = World(random.Random(seed), lease=(5.0, 30.0)[seed % 2], accepting=accepting)
    jobs = [f"{seed % 50000 + 10000}".translate(str.maketrans("01", "AB")) + f"J{payload}bcde" for payload in "ABC"]
    background = [asyncio.create_task(fire_timers(world))]
    lives = [asyncio.create_task(live(world, job)) for job in jobs]
    processes = [Process(world), Process(world)]
    crash_at = world.dice.uniform(0, 20)
    while not (all(task.done() for task in lives) and world.settled()):
        await world.advance()
        if world.time > crash_at and world.time < 600:
            processes.pop(world.dice.randrange(2)).alive = False
            processes.append(Process(world))
            crash_at = world.time + world.dice.uniform(0, 40)
        assert world.time < 20_000, "it does not come to an end"
        background += processes[-1].tasks
    for task in {*background, *processes[0].tasks, *processes[1].tasks}:
        task.cancel()
    return world


# Twenty lives, and four in a quick run: they follow the number of examples that hypothesis is told.
@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(settings().max_examples // 5))
async def test_order_holds_and_nothing_is_lost(seed: int) -> None:
    world = await simulate(seed)
    for job, recorded in world.log.items():
        states = [item.sequence for item in recorded]
        for hook in HOOKS:
            journal = world.journal[hook.url, job]
            newest_accepted = 0
            for what, sequence in journal:
                assert sequence >= newest_accepted, f"an older state came after a newer one was accepted: {journal}"
                if what == "accepted":
                    newest_accepted = sequence
            came = list(dict.fromkeys(sequence for what, sequence in journal if what == "came"))
            assert came == [sequence for sequence in states if sequence in came], f"first sent out of order: {journal}"
            facts = [fact for fact in world.facts if (fact.job, fact.hook) == (job, hook.id)]
            settled = {fact.sequence for fact in facts if fact.outcome in ("delivered", "superseded", "gave_up")}
            assert settled == set(states), f"lost: {facts}"
            assert world.queues[f"{job}.{hook.id}"].queue.pending == ()

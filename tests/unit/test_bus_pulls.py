"""Whether slots take work: proved by what the server answers to their pulls."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import APIError, FetchTimeoutError

from shared.bus import pulls as pulls_module
from shared.bus.pulls import UNPROVED_SECONDS, Pulls, SlotsIdle


class Subscription:
    """A subscription whose pulls end as the test says."""

    def __init__(self) -> None:
        self.outcome: Exception | list[Msg] = []
        self.answer: Callable[[], Awaitable[list[Msg]]] | None = None
        self.heartbeats: list[float | None] = []

    async def fetch(self, _batch: int = 1, _timeout: float | None = 5, heartbeat: float | None = None) -> list[Msg]:
        self.heartbeats.append(heartbeat)
        await asyncio.sleep(0)
        if self.answer:
            return await self.answer()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Subscriber:
    """A subscriber as FastStream has them, with its loop."""

    def __init__(self, loop: "asyncio.Task[None]") -> None:
        self.subscription: Any = Subscription()
        self.tasks = [loop]


class Scene:
    """One slot, and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.loop = asyncio.create_task(asyncio.sleep(3600))
        self.subscriber = Subscriber(self.loop)
        self.subscription = self.subscriber.subscription
        self.pulls = Pulls(lambda: self.now)
        self.pulls.add("transcoder", self.subscriber)
        self.is_connected = True
        self.pulls.begin(self)

    async def pull(self, outcome: Exception | list[Msg]) -> None:
        """A pull that ends so."""
        self.subscription.outcome = outcome
        try:
            await self.subscription.fetch(1, 5.0)
        except NatsTimeoutError:
            return

    async def takes_work(self) -> bool:
        """What the check says."""
        try:
            await self.pulls.check()
        except SlotsIdle:
            return False
        return True


async def test_a_pull_that_the_server_answers_with_heartbeats_is_a_proof() -> None:
    scene = Scene()
    for _ in range(3):
        await scene.pull(FetchTimeoutError())
        scene.now += UNPROVED_SECONDS - 1
        assert await scene.takes_work()
    assert all(scene.subscription.heartbeats)


async def test_a_pull_without_an_answer_is_none() -> None:
    scene = Scene()
    for _ in range(3):
        scene.now += UNPROVED_SECONDS / 2
        await scene.pull(NatsTimeoutError())
    assert not await scene.takes_work()
    await scene.pull(FetchTimeoutError())
    assert await scene.takes_work()


async def test_work_may_take_as_long_as_it_wants() -> None:
    scene = Scene()
    await scene.pull([])
    scene.now += 100 * UNPROVED_SECONDS
    assert await scene.takes_work()


async def test_the_pull_after_long_work_is_given_time() -> None:
    scene = Scene()
    await scene.pull([])
    scene.now += 100 * UNPROVED_SECONDS
    asked, answer = asyncio.Event(), asyncio.Event()

    async def fetch() -> list[Msg]:
        asked.set()
        await answer.wait()
        raise NatsTimeoutError

    scene.subscription.answer = fetch
    pull = asyncio.create_task(scene.pull([]))
    await asked.wait()
    assert await scene.takes_work()
    scene.now += UNPROVED_SECONDS
    assert not await scene.takes_work()
    answer.set()
    await pull


async def test_a_loop_that_has_ended_takes_no_work() -> None:
    scene = Scene()
    await scene.pull([])
    scene.loop.cancel()
    await asyncio.wait({scene.loop})
    assert not await scene.takes_work()


@pytest.mark.parametrize("refusal", [ConnectionClosedError(), APIError(code=409, description="Leadership Change")])
async def test_refusals_are_time_outs_after_a_pause(refusal: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks in a loop would else ask again at once, and never let anything else run."""
    paused: list[float] = []
    monkeypatch.setattr(pulls_module, "_pause", _noting(paused))
    scene = Scene()
    await scene.pull(refusal)
    assert paused
    scene.now += UNPROVED_SECONDS
    assert not await scene.takes_work()


async def test_without_a_connection_no_pull_is_kept_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []
    monkeypatch.setattr(pulls_module, "_pause", _noting(paused))
    scene = Scene()
    scene.is_connected = False
    for _ in range(3):
        await scene.pull(FetchTimeoutError())
    assert len(paused) == 3
    assert not scene.subscription.heartbeats, "pulls were made"


async def test_idle_slots_end_the_process_only_while_the_bus_works(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[float] = []
    monkeypatch.setattr(pulls_module, "_pause", _noting(ticks))
    scene = Scene()
    scene.loop.cancel()
    await asyncio.wait({scene.loop})
    reasons: list[str] = []

    async def on_end(reason: str) -> None:
        reasons.append(reason)

    async def works() -> None:
        # Away for a while, longer than slots may be idle.
        if len(ticks) < 100:
            raise ConnectionError

    guarding = asyncio.create_task(scene.pulls.guard(works, on_end))
    while not reasons:
        await asyncio.sleep(0)
    guarding.cancel()
    assert reasons[0] == "slots take no work: transcoder"
    assert len(ticks) == 100 + pulls_module.UNHEALED_SECONDS


def _noting(seconds: list[float]) -> Any:
    async def pause(for_seconds: float) -> None:
        seconds.append(for_seconds)
        await asyncio.sleep(0)

    return pause

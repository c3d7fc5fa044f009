"""When a connection that was lost ends its process, and when it is waited for."""

import asyncio

import pytest
from nats.errors import Error as NatsError

from shared.bus import guard as guard_module
from shared.bus.guard import ConnectionGuard
from shared.metrics import REGISTRY

VIOLATION = NatsError("nats: 'Authorization Violation'")


class Ends:
    """Notes the reasons why a process has to end."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.told = asyncio.Event()

    async def __call__(self, reason: str) -> None:
        self.reasons.append(reason)
        self.told.set()


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def guard(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> ConnectionGuard:
    monkeypatch.setattr(guard_module, "REFUSED_SECONDS", 0.02)
    monkeypatch.setattr(guard_module, "SILENT_SECONDS", 0.05)
    guarding = ConnectionGuard("test", ends, tick=0.001)
    guarding.connected()
    return guarding


async def test_a_closed_connection_ends_its_process_at_once(guard: ConnectionGuard, ends: Ends) -> None:
    await guard.callbacks()["closed_cb"]()
    assert ends.reasons == ["the connection to the bus was closed"]


async def test_a_client_that_has_ceased_to_reconnect_ends_its_process(guard: ConnectionGuard, ends: Ends) -> None:
    await guard.callbacks()["disconnected_cb"]()
    await asyncio.wait_for(ends.told.wait(), 10)
    assert ends.reasons == ["the client has ceased to reconnect to the bus"]


async def test_a_refusal_that_lasts_ends_the_process(guard: ConnectionGuard, ends: Ends) -> None:
    callbacks = guard.callbacks()
    await callbacks["disconnected_cb"]()
    while not ends.told.is_set():
        await callbacks["error_cb"](VIOLATION)
        await asyncio.sleep(0)
    assert ends.reasons == ["the bus refuses the credentials"]


async def test_a_bus_that_is_away_is_waited_for(guard: ConnectionGuard, ends: Ends) -> None:
    """Many times longer than a client may be silent, which it is not."""
    callbacks = guard.callbacks()
    await callbacks["disconnected_cb"]()
    looks = 0

    async def count() -> None:
        nonlocal looks
        while looks < 100:
            await asyncio.sleep(0.001)
            looks += 1

    counting = asyncio.create_task(count())
    while not counting.done():
        await callbacks["error_cb"](OSError("connection refused"))
        await asyncio.sleep(0)
    assert not ends.reasons
    await callbacks["reconnected_cb"]()


async def test_nothing_ends_after_the_connection_has_come_back(guard: ConnectionGuard, ends: Ends) -> None:
    callbacks = guard.callbacks()
    await callbacks["disconnected_cb"]()
    await callbacks["error_cb"](VIOLATION)
    await callbacks["reconnected_cb"]()
    for _ in range(100):
        await asyncio.sleep(0.001)
    assert not ends.reasons


async def test_prometheus_is_told_whether_the_connection_stands(guard: ConnectionGuard) -> None:
    def told(name: str) -> float | None:
        return REGISTRY.get_sample_value(name, {"connection": "test"})

    lost = told("millrace_nats_disconnects_total")
    assert lost is not None and told("millrace_nats_connected") == 1
    callbacks = guard.callbacks()
    await callbacks["disconnected_cb"]()
    assert told("millrace_nats_connected") == 0
    assert told("millrace_nats_disconnects_total") == lost + 1
    await callbacks["reconnected_cb"]()
    assert told("millrace_nats_connected") == 1

"""The health port: what it answers while a service starts."""

import json
from typing import Any

from aiohttp.test_utils import make_mocked_request

from shared.health import Check, Health, still_starting


async def ready(health: Health) -> tuple[int, Any]:
    (handler,) = [route.handler for route in health.routes() if route.path == "/health/ready"]
    response: Any = await handler(make_mocked_request("GET", "/health/ready"))
    return response.status, json.loads(response.body)


async def test_a_service_may_add_its_checks_while_one_is_asked() -> None:
    checks: dict[str, Check] = {}

    async def starting() -> None:
        checks["workspace"] = still_starting

    checks["nats"] = starting
    assert await ready(Health(checks)) == (200, {"status": "ready", "problems": {}})
    assert await ready(Health(checks)) == (503, {"status": "not ready", "problems": {"workspace": "ConnectionError"}})


async def test_a_service_that_stops_is_not_ready() -> None:
    health = Health({})
    health.stopping = True
    assert await ready(health) == (503, {"status": "not ready", "problems": {"process": "stopping"}})


async def test_facts_are_told_beside_the_checks_and_change_nothing() -> None:
    facts: dict[str, object] = {}
    health = Health({}, facts)
    facts["cage"] = {"missing": ["landlock"]}
    assert await ready(health) == (200, {"status": "ready", "problems": {}, "cage": {"missing": ["landlock"]}})

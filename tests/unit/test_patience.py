"""Steps of a start are repeated until their servers are there, and lines that repeat themselves are written seldom."""

import pytest
import structlog
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import ServiceUnavailableError

from shared.bus import patience
from shared.bus.patience import until_done
from shared.logs import Repetition


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_PAUSE_SECONDS", 0)


async def test_a_step_is_repeated_until_the_bus_lets_it() -> None:
    troubles: list[Exception] = [NatsTimeoutError(), ServiceUnavailableError(), OSError(), *[TimeoutError()] * 50]

    async def step() -> str:
        if troubles:
            raise troubles.pop(0)
        return "done"

    with structlog.testing.capture_logs() as lines:
        assert await until_done(step, "bus") == "done"
    assert [line["event"] for line in lines] == ["start is waiting"] * 3
    assert {line["step"] for line in lines} == {"bus"}


async def test_what_does_not_pass_comes_out() -> None:
    class Down(Exception):
        pass

    async def step() -> None:
        raise errors.pop(0)

    errors = [Down(), ValueError("a mistake")]
    with pytest.raises(ValueError, match="a mistake"):
        await until_done(step, "database", Down)


def test_a_repetition_is_due_once_in_a_while() -> None:
    now = 0.0
    repetition = Repetition(10, clock=lambda: now)
    assert repetition.is_due("a")
    assert repetition.is_due("b")
    now = 9.0
    assert not repetition.is_due("a")
    now = 11.0
    assert repetition.is_due("a")

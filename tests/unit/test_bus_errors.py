"""What an error of the bus means: wait, give up at once, or a mistake of ours."""

import asyncio

import nats.errors
import pytest
from nats.js.errors import (
    APIError,
    BadRequestError,
    BucketNotFoundError,
    FetchTimeoutError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    NoStreamResponseError,
    NotFoundError,
    ServerError,
    ServiceUnavailableError,
)

from shared.bus.errors import BusUnavailable, bus_calls, translated
from shared.errors import PermanentError

AWAY = [
    nats.errors.TimeoutError(),
    nats.errors.NoRespondersError(),
    nats.errors.ConnectionClosedError(),
    nats.errors.ConnectionReconnectingError(),
    nats.errors.ConnectionDrainingError(),
    nats.errors.StaleConnectionError(),
    nats.errors.OutboundBufferLimitError(),
    nats.errors.NoServersError(),
    nats.errors.FlushTimeoutError(),
    FetchTimeoutError(),
    NoStreamResponseError(),
    ServiceUnavailableError(),
    ServiceUnavailableError(code=503, err_code=10008),
    APIError(code=503, err_code=10009, description="no suitable peers"),
    APIError(code=503, err_code=10077, description="maximum bytes exceeded"),
    ServerError(code=500, err_code=10011),
    NotFoundError(code=404, err_code=10059, description="stream not found"),
    NotFoundError(code=404, err_code=10014, description="consumer not found"),
    BucketNotFoundError(),
    BusUnavailable("already"),
]
OURS = [
    BadRequestError(code=400, err_code=10071),
    KeyNotFoundError(),
    KeyWrongLastSequenceError(),
    NotFoundError(code=404, err_code=10037, description="no message found"),
    nats.errors.BadSubjectError(),
    ZeroDivisionError(),
    TimeoutError(),
    OSError(),
]


@pytest.mark.parametrize("error", AWAY, ids=repr)
def test_a_bus_that_is_away_may_come_back(error: Exception) -> None:
    assert isinstance(translated(error), BusUnavailable)


@pytest.mark.parametrize("error", OURS, ids=repr)
def test_what_is_not_the_bus_stays_as_it_is(error: Exception) -> None:
    assert translated(error) is error


@pytest.mark.parametrize("error", [nats.errors.MaxPayloadError(), BadRequestError(code=400, err_code=10054)], ids=repr)
def test_what_is_too_large_is_refused_for_good(error: Exception) -> None:
    meaning = translated(error)
    assert isinstance(meaning, PermanentError)
    assert meaning.code == "event_too_large"


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError(), nats.errors.TimeoutError()], ids=repr)
async def test_inside_calls_of_the_bus_every_time_out_is_the_buss(error: Exception) -> None:
    @bus_calls()
    async def call() -> None:
        raise error

    with pytest.raises(BusUnavailable):
        await call()


async def test_calls_of_the_bus_take_no_longer_than_allowed() -> None:
    with pytest.raises(BusUnavailable):
        async with bus_calls(0.01):
            await asyncio.sleep(60)


async def test_a_time_out_around_calls_of_the_bus_is_not_the_buss() -> None:
    """Whoever gives up on the bus from outside says so himself."""
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.01), bus_calls():
            await asyncio.sleep(60)
    assert not isinstance(caught.value, BusUnavailable)


async def test_mistakes_of_ours_pass_through() -> None:
    with pytest.raises(KeyNotFoundError):
        async with bus_calls():
            raise KeyNotFoundError

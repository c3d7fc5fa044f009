"""Logins are refused at once where too many have failed, and wait in a short line where many are sent."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from services.api.accounts.login_guard import MOST_CHECKED, MOST_IN_LINE, MOST_OF_STRANGERS, LoginGuard
from services.api.contract.errors import TooManyRequests, Unavailable


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def fail(guard: LoginGuard, username: str, address: str) -> int:
    """A login with a wrong password; seconds to wait if it is not even looked at."""
    try:
        async with guard.attempt(username, address) as attempt:
            await asyncio.sleep(0)
            attempt.failed = True
    except TooManyRequests as error:
        return error.retry_after
    return 0


async def succeed(guard: LoginGuard, username: str, address: str) -> None:
    async with guard.attempt(username, address) as attempt:
        await asyncio.sleep(0)
        attempt.succeeded = True


async def test_ever_new_names_from_one_address() -> None:
    clock = Clock()
    guard = LoginGuard(3, 5, clock)
    assert [await fail(guard, f"nobody{number}", "192.0.2.1") for number in range(7)] == [0] * 5 + [60, 60]
    assert await fail(guard, "nobody0", "192.0.2.2") == 0
    clock.now += 60
    assert await fail(guard, "nobody0", "192.0.2.1") == 0


@pytest.mark.parametrize("same_name", [True, False])
async def test_as_many_at_once_as_one_after_the_other(same_name: bool) -> None:
    guard = LoginGuard(5 if same_name else 1000, 1000 if same_name else 5, Clock())
    names = ("ann" if same_name else f"nobody{number}" for number in range(MOST_IN_LINE + 10))
    waits = await asyncio.gather(*(fail(guard, name, "192.0.2.1") for name in names))
    # The last ten find no place in line.
    assert Counter(waits) == {0: 5, 60: MOST_IN_LINE - 5, 2: 10}
    assert not guard._lines


async def test_who_has_logged_in_there_before_is_not_held_up_by_others() -> None:
    guard = LoginGuard(3, 5, Clock())
    await succeed(guard, "ann", "192.0.2.1")
    async with guard.attempt("nobody", "192.0.2.1"):
        await asyncio.wait_for(succeed(guard, "ann", "192.0.2.1"), 5)
    while not await fail(guard, "nobody", "192.0.2.1"):
        await fail(guard, "somebody", "192.0.2.1")
    await succeed(guard, "ann", "192.0.2.1")
    # Guessing her password is slowed down all the same.
    assert [await fail(guard, "ann", "192.0.2.1") for _ in range(4)] == [0, 0, 0, 60]


async def test_what_succeeds_or_breaks_is_no_failure() -> None:
    guard = LoginGuard(2, 2, Clock())
    await asyncio.gather(*(succeed(guard, "ann", "192.0.2.1") for _ in range(MOST_IN_LINE)))
    for number in range(9):
        await succeed(guard, f"user{number}", "192.0.2.1")
        with pytest.raises(ZeroDivisionError):
            async with guard.attempt("bob", "192.0.2.1"):
                raise ZeroDivisionError
    assert await fail(guard, "bob", "192.0.2.1") == 0


async def test_few_are_checked_at_a_time_whatever_the_number_of_addresses() -> None:
    guard = LoginGuard(1000, 1000, Clock())
    for number in range(MOST_CHECKED):
        await succeed(guard, "ann", f"192.0.2.{number}")
    async with AsyncExitStack() as under_way:
        for number in range(MOST_OF_STRANGERS):
            await under_way.enter_async_context(guard.attempt("nobody", f"198.51.100.{number}"))
        with pytest.raises(Unavailable) as caught:
            await under_way.enter_async_context(guard.attempt("nobody", "198.51.100.99"))
        assert caught.value.retry_after > 0
        for number in range(MOST_CHECKED - MOST_OF_STRANGERS):
            await under_way.enter_async_context(guard.attempt("ann", f"192.0.2.{number}"))
        with pytest.raises(Unavailable):
            await under_way.enter_async_context(guard.attempt("ann", "192.0.2.31"))
    assert await fail(guard, "nobody", "198.51.100.99") == 0
    assert not guard._lines

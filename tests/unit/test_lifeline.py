"""When a process stops, and with what status."""

import asyncio
import os
import signal

import pytest

from shared.lifeline import Lifeline


async def test_a_connection_that_is_cut_ends_the_process_with_an_error() -> None:
    lifeline = Lifeline()
    await lifeline.cut("closed")
    await asyncio.wait_for(lifeline.until_over(), 1)
    assert lifeline.exit_status() == 1


async def test_a_connection_that_closes_after_the_word_to_stop_is_no_error() -> None:
    lifeline = Lifeline()
    lifeline.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(lifeline.until_over(), 1)
    await lifeline.cut("closed")
    assert lifeline.exit_status() == 0


async def test_a_start_that_takes_too_long_is_cancelled_when_the_process_has_to_stop() -> None:
    lifeline = Lifeline()
    start = asyncio.create_task(asyncio.sleep(60, result="started"))
    waiting = asyncio.create_task(lifeline.unless_over(start))
    await asyncio.sleep(0)
    await lifeline.cut("closed")
    assert await asyncio.wait_for(waiting, 1) is None
    assert start.cancelled()


async def test_what_keeps_a_start_from_working_comes_out() -> None:
    async def broken() -> None:
        raise RuntimeError("no ffmpeg")

    with pytest.raises(RuntimeError, match="no ffmpeg"):
        await Lifeline().unless_over(asyncio.create_task(broken()))


async def test_work_that_has_to_go_on_and_ends_ends_the_process() -> None:
    async def broken() -> None:
        raise RuntimeError("out of order")

    for work in (broken(), asyncio.sleep(0)):
        lifeline = Lifeline()
        lifeline.keep(work, "leader")
        await asyncio.wait_for(lifeline.until_over(), 1)
        assert lifeline.exit_status() == 1


async def test_work_that_is_ended_ends_nothing() -> None:
    lifeline = Lifeline()
    work = lifeline.keep(asyncio.sleep(60), "leader")
    work.cancel()
    await asyncio.wait({work})
    assert lifeline.exit_status() == 0


async def test_a_drain_waits_until_it_is_told_to_stop_as_well() -> None:
    lifeline = Lifeline()
    lifeline.listen()
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(lifeline.until_over(), 1)
    assert (lifeline.drains, lifeline.stays) == (True, False)
    stopped = asyncio.create_task(lifeline.until_stopped())
    await asyncio.sleep(0)
    assert not stopped.done()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(stopped, 1)
    assert lifeline.exit_status() == 0


async def test_a_process_that_is_cut_off_while_it_drains_ends_with_an_error() -> None:
    lifeline = Lifeline()
    lifeline.drain(stay=True)
    assert lifeline.stays
    await lifeline.cut("closed")
    await asyncio.wait_for(lifeline.until_stopped(), 1)
    assert lifeline.exit_status() == 1


async def test_who_has_to_stop_does_not_drain_any_more() -> None:
    lifeline = Lifeline()
    lifeline.stop()
    lifeline.drain()
    assert not lifeline.drains

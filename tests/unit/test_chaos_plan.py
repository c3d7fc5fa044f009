"""What a chaos run does is a function of its seed, and nothing is left out."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.orders import orders
from tests.chaos.schedule import SECOND, SERVERS, SERVICES, schedule


@given(st.integers(0, 10**6))
def test_the_same_seed_has_the_same_jobs_and_faults(seed: int) -> None:
    assert schedule(seed, 60, 2) == schedule(seed, 60, 2)
    assert orders(seed, 40, 60) == orders(seed, 40, 60)


def test_another_seed_has_others() -> None:
    assert schedule(1, 60, 2) != schedule(2, 60, 2)
    assert orders(1, 40, 60) != orders(2, 40, 60)


@given(st.integers(0, 10**6))
def test_every_fault_comes_before_any_comes_again(seed: int) -> None:
    strikes = schedule(seed, 200, 1)
    names = [strike.name for strike in strikes]
    several = names.index(next(name for number, name in enumerate(names) if name in names[:number]))
    first = names[: several + len(set(names))]
    assert len(set(first)) == len(set(names))
    assert max(Counter(names).values()) - min(Counter(names).values()) <= 1
    killed = {strike.victim for strike in strikes if strike.kind == "SIGKILL"}
    assert killed == {*SERVICES, *SECOND, *SERVERS, "ffmpeg"}
    assert [strike.at for strike in strikes] == sorted(strike.at for strike in strikes)
    assert all(0 <= strike.at <= 200 for strike in strikes)


@given(st.integers(0, 10**6))
def test_a_short_schedule_has_faults_of_several_kinds(seed: int) -> None:
    assert len({strike.kind for strike in schedule(seed, 20, 2)}) >= 3


@given(st.integers(0, 10**6), st.integers(1, 100))
def test_orders_are_spread_over_time_organizations_and_sources(seed: int, jobs: int) -> None:
    made = orders(seed, jobs, 60)
    assert [order.number for order in made] == list(range(jobs))
    assert len({order.prefix for order in made}) == jobs
    assert all(0 <= order.at < 60 for order in made)
    if jobs >= 20:
        assert {order.organization for order in made} == {0, 1}
        assert {order.right_end for order in made} >= {"completed", "input_truncated", "input_not_video", "input_empty"}
        assert any(order.cancel_after is not None for order in made)

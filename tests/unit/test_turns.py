"""Whose turn it is: the rules, without a bus."""

import pytest

from shared.bus.turns import INTERRUPTED, UNINTERRUPTED, Slots, Turn

SURPLUS, TURN = INTERRUPTED.surplus_seconds or 0, INTERRUPTED.turn_seconds or 0


class Bench:
    """Slots with a clock that the test moves."""

    def __init__(self, slots: int, rules: object = INTERRUPTED) -> None:
        self.now = 0.0
        self.slots = Slots(slots, rules, lambda: self.now)  # type: ignore[arg-type]
        self._number = 0

    def begin(self, org: str, subject: str = "") -> Turn:
        self._number += 1
        return self.slots.begin(org, subject or f"{org}-{self._number}", redelivered=False)


def test_one_alone_may_have_all() -> None:
    bench = Bench(3)
    for _ in range(3):
        assert bench.slots.may_begin("a", {"a"})
        bench.begin("a")
    bench.now = 1e6
    assert bench.slots.full
    assert bench.slots.interrupt({"a"}) is None


def test_a_free_slot_goes_to_whoever_has_the_fewest() -> None:
    bench = Bench(4)
    bench.begin("a")
    bench.begin("a")
    bench.begin("b")
    assert not bench.slots.may_begin("a", {"b"})
    assert not bench.slots.may_begin("b", {"a", "c"})
    assert bench.slots.may_begin("b", {"a"})
    assert bench.slots.may_begin("c", {"a", "b"})


def test_a_single_slot_goes_round() -> None:
    bench = Bench(1)
    served = []
    for _ in range(6):
        org = next(org for org in ("a", "b", "c") if bench.slots.may_begin(org, {"a", "b", "c"}))
        served.append(org)
        bench.slots.end(bench.begin(org))
    assert served == ["a", "b", "c"] * 2


def test_the_surplus_of_one_makes_room_for_another() -> None:
    bench = Bench(2)
    bench.begin("a")
    bench.now = 1
    youngest = bench.begin("a")
    bench.now = SURPLUS - 1
    assert bench.slots.interrupt({"b"}) is None, "not at once: it may end by itself"
    bench.now = SURPLUS + 1
    assert bench.slots.interrupt({"b"}) is youngest
    assert youngest.over.is_set()
    assert bench.slots.interrupt({"b"}) is None, "one is enough"
    assert bench.slots.may_begin("b", {"a"})


def test_any_number_of_slow_ones_leaves_turns_to_the_others() -> None:
    bench = Bench(2)
    oldest, _ = bench.begin("a"), bench.begin("b")
    bench.now = TURN - 1
    assert bench.slots.interrupt({"c"}) is None
    bench.now = TURN
    assert bench.slots.interrupt({"c"}) is oldest


def test_nobody_makes_room_for_his_own() -> None:
    bench = Bench(2)
    bench.begin("a")
    bench.begin("b")
    bench.now = 1e6
    assert bench.slots.interrupt({"a", "b"}) is None


def test_strangers_get_a_slot_after_a_turn() -> None:
    bench = Bench(1)
    turn = bench.begin("a")
    bench.now = TURN
    assert bench.slots.interrupt(set()) is None
    assert bench.slots.interrupt(set(), strangers=True) is turn


def test_each_interruption_makes_the_next_turn_longer() -> None:
    bench = Bench(1)
    for number in range(4):
        turn = bench.begin("a", "film")
        bench.now += TURN * 2**number - 1
        assert bench.slots.interrupt({"b"}) is None
        bench.now += 1
        assert bench.slots.interrupt({"b"}) is turn
        bench.slots.end(turn)
    bench.slots.end(bench.begin("a", "film"))
    turn = bench.begin("a", "film")
    bench.now += TURN
    assert bench.slots.interrupt({"b"}) is turn, "what has been done is forgotten"


def test_work_that_would_be_lost_is_left_alone() -> None:
    bench = Bench(2, UNINTERRUPTED)
    bench.begin("a")
    bench.begin("a")
    bench.now = 1e6
    assert bench.slots.interrupt({"b"}, strangers=True) is None


@pytest.mark.parametrize("comes_again", [True, False])
def test_what_was_handed_back_waits_like_others(comes_again: bool) -> None:
    bench = Bench(2)
    bench.slots.put_off("a", "film")
    assert (bench.slots.away, bench.slots.redelivered) == (["a"], 1)
    if comes_again:
        bench.slots.end(bench.slots.begin("a", "film", redelivered=True))
    else:
        bench.now = 1e4
    assert (bench.slots.away, bench.slots.redelivered) == ([], 0)

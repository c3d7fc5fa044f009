"""Whose turn it is: the rules, without a bus."""

import pytest

from shared.bus.slots import INTERRUPTED, SUSPECTS_PATIENCE, UNINTERRUPTED, Slots, Turn, TurnRules
from shared.bus.urgency import Urgency
from shared.bus.work import Work

SURPLUS, TURN = INTERRUPTED.surplus_seconds or 0, INTERRUPTED.turn_seconds or 0


class Bench:
    """Slots with a clock that the test moves."""

    def __init__(self, slots: int, rules: TurnRules = INTERRUPTED) -> None:
        self.now = 0.0
        self.slots = Slots(slots, rules, lambda: self.now)
        self._number = 0

    def begin(self, org: str, subject: str = "", weight: float = 1.0) -> Turn:
        self._number += 1
        return self.slots.begin(Work(org, subject or f"{org}-{self._number}", self._number, weight=weight))

    def may_begin(self, org: str, waiting: set[str]) -> bool:
        others = [Work(other, f"{other}-waits", 1000) for other in waiting]
        return not self.slots.before(Work(org, f"{org}-comes", 999), others)

    def interrupt(self, *waiting: str, strangers: bool = False) -> Turn | None:
        return self.slots.interrupt([Work(org, f"{org}-waits", 1000) for org in waiting], strangers=strangers)


def test_one_alone_may_have_all() -> None:
    bench = Bench(3)
    for _ in range(3):
        assert bench.may_begin("a", {"a"})
        bench.begin("a")
    bench.now = 1e6
    assert bench.slots.full
    assert bench.interrupt("a") is None


def test_a_free_slot_goes_to_whoever_has_the_fewest() -> None:
    bench = Bench(4)
    bench.begin("a")
    bench.begin("a")
    bench.begin("b")
    assert not bench.may_begin("a", {"b"})
    assert not bench.may_begin("b", {"a", "c"})
    assert bench.may_begin("b", {"a"})
    assert bench.may_begin("c", {"a", "b"})


def test_a_single_slot_goes_round() -> None:
    bench = Bench(1)
    served = []
    for _ in range(6):
        org = next(org for org in ("a", "b", "c") if bench.may_begin(org, {"a", "b", "c"}))
        served.append(org)
        bench.slots.end(bench.begin(org))
    assert served == ["a", "b", "c"] * 2


def test_the_surplus_of_one_makes_room_for_another() -> None:
    bench = Bench(2)
    bench.begin("a")
    bench.now = 1
    youngest = bench.begin("a")
    bench.now = SURPLUS - 1
    assert bench.interrupt("b") is None, "not at once: it may end by itself"
    bench.now = SURPLUS + 1
    assert bench.interrupt("b") is youngest
    assert youngest.over.is_set()
    assert bench.interrupt("b") is None, "one is enough"
    assert bench.may_begin("b", {"a"})


def test_any_number_of_slow_ones_leaves_turns_to_the_others() -> None:
    bench = Bench(2)
    oldest, _ = bench.begin("a"), bench.begin("b")
    bench.now = TURN - 1
    assert bench.interrupt("c") is None
    bench.now = TURN
    assert bench.interrupt("c") is oldest


def test_nobody_makes_room_for_his_own() -> None:
    bench = Bench(2)
    bench.begin("a")
    bench.begin("b")
    bench.now = 1e6
    assert bench.interrupt("a", "b") is None


def test_strangers_get_a_slot_after_a_turn() -> None:
    bench = Bench(1)
    turn = bench.begin("a")
    bench.now = TURN
    assert bench.interrupt() is None
    assert bench.interrupt(strangers=True) is turn


def test_each_interruption_makes_the_next_turn_longer() -> None:
    bench = Bench(1)
    for number in range(4):
        turn = bench.begin("a", "film")
        bench.now += TURN * 2**number - 1
        assert bench.interrupt("b") is None
        bench.now += 1
        assert bench.interrupt("b") is turn
        bench.slots.end(turn)
    bench.slots.end(bench.begin("a", "film"))
    turn = bench.begin("a", "film")
    bench.now += TURN
    assert bench.interrupt("b") is turn, "what has been done is forgotten"


def test_work_that_would_be_lost_is_left_alone() -> None:
    bench = Bench(2, UNINTERRUPTED)
    bench.begin("a")
    bench.begin("a")
    bench.now = 1e6
    assert bench.interrupt("b", strangers=True) is None


@pytest.mark.parametrize("comes_again", [True, False])
def test_what_was_handed_back_waits_like_others(comes_again: bool) -> None:
    bench = Bench(2)
    film = Work("a", "film")
    bench.slots.put_off(film, 1)
    assert (bench.slots.away, bench.slots.redelivered) == ([film], 1)
    if comes_again:
        bench.slots.end(bench.slots.begin(film, redelivered=True))
    else:
        bench.now = 1e4
    assert (bench.slots.away, bench.slots.redelivered) == ([], 0)


CLIP, FILM = Urgency(1, 3), Urgency(1, 8)


def test_what_was_handed_back_is_given_way_to_once_it_is_due() -> None:
    bench = Bench(1)
    clip, film = Work("a", "jobs.a.clip.x", 1, CLIP), Work("a", "jobs.a.film.x", 2, FILM)
    bench.slots.put_off(clip, 5)
    assert bench.slots.before(film) == []
    bench.now = 5
    assert bench.slots.before(film) == [clip]


def test_what_does_not_come_again_is_not_waited_for() -> None:
    bench = Bench(1)
    clip, film = Work("a", "jobs.a.clip.x", 1, CLIP), Work("a", "jobs.a.film.x", 2, FILM)
    bench.slots.put_off(clip, 1)
    bench.now = 2
    bench.slots.put_off(film, 1, bench.slots.before(film))
    bench.now = 3.5
    assert bench.slots.before(film) == [clip]
    bench.now = 4.5
    assert bench.slots.before(film) == [], "another process has it"


def test_what_was_never_delivered_comes_after_all_that_is_due() -> None:
    bench = Bench(1)
    clip, film = Work("a", "jobs.a.clip.x", 1, CLIP), Work("a", "jobs.a.film.x", 2, FILM)
    bench.slots.put_off(clip, 1)
    bench.now = 2
    bench.slots.has_come(film, redelivered=True)
    assert bench.slots.before(film) == [clip]
    bench.slots.has_come(film, redelivered=False)
    assert bench.slots.before(film) == []


def test_parts_of_one_job_keep_their_order() -> None:
    bench = Bench(1)
    first, second = Work("a", "jobs.a.film.v1", 1, FILM), Work("a", "jobs.a.film.v2", 2, CLIP)
    assert bench.slots.before(first, [second]) == []


def test_a_suspect_goes_after_everything_that_waits_but_not_for_ever() -> None:
    bench = Bench(2)
    suspect = Work("a", "jobs.a.poison.x", 1, crashes=1)
    other = Work("b", "jobs.b.other.x", 2)
    bench.slots.has_come(suspect, redelivered=True)
    bench.begin("b")
    assert bench.slots.before(suspect, [other]) == [other]
    assert not bench.slots.may_be_alone(suspect)
    assert bench.slots.before(other, [suspect]) == []
    bench.now = SUSPECTS_PATIENCE
    assert bench.slots.before(suspect, [other]) == []
    assert bench.slots.may_be_alone(suspect), "once what runs has ended"


def test_of_two_suspects_the_less_suspect_goes_first() -> None:
    bench = Bench(1)
    once, twice = Work("a", "jobs.a.once.x", 2, crashes=1), Work("a", "jobs.a.twice.x", 1, crashes=2)
    bench.slots.put_off(once, 0)
    assert bench.slots.before(twice) == [once]
    bench.slots.put_off(twice, 0)
    assert bench.slots.before(once) == []


def test_after_its_second_crash_a_suspect_waits_for_those_that_it_has_hit() -> None:
    bench = Bench(1)
    twice = Work("a", "jobs.a.twice.x", 1, crashes=2)
    bench.slots.has_come(twice, redelivered=True)
    assert not bench.slots.may_be_alone(twice)
    bench.now = 10
    assert bench.slots.may_be_alone(twice)


@pytest.mark.parametrize("rules", [INTERRUPTED, UNINTERRUPTED])
def test_nothing_begins_beside_a_suspect(rules: TurnRules) -> None:
    bench = Bench(2, rules)
    beside = bench.begin("b")
    turn = bench.slots.begin(Work("a", "jobs.a.poison.x", 1, crashes=1), redelivered=True)
    assert bench.slots.closed_by is turn
    assert bench.slots.beside(turn) == [beside]
    bench.now = 3600
    # What may take as long as somebody's server likes must not close the worker for as long.
    assert bench.slots.closed_by is (None if rules.alone_seconds else turn)
    bench.slots.end(turn)
    assert turn.ended.is_set()
    assert bench.slots.closed_by is None

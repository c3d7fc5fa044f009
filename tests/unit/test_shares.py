"""Slots are shared by weight: over time, with work that ends and work that never does, and nobody is interrupted to and fro."""

import random
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.shares import Shares
from shared.bus.slots import UNINTERRUPTED, Slots, Turn, TurnRules
from shared.bus.work import Work

WEIGHTS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([0.5, 1, 1, 2, 3, 5]), min_size=1)
SURPLUS, TURN = 5.0, 20.0


class Site:
    """A worker at which every organization always has more work waiting, in time that the test moves."""

    def __init__(self, slots: int, weights: Mapping[str, float], rules: TurnRules = UNINTERRUPTED) -> None:
        self.now = 0.0
        self.slots = Slots(slots, rules, lambda: self.now)
        self.weights = dict(weights)
        self.size = slots
        self.running: list[Turn] = []
        self.served: list[str] = []
        self.held: Counter[str] = Counter()
        self.passed_over: dict[str, int] = {}
        self._number = 0

    @property
    def taken(self) -> Counter[str]:
        return Counter(turn.work.org for turn in self.running)

    @property
    def waiting(self) -> list[Work]:
        self._number += 1
        return [
            Work(org, f"jobs.{org}.job{self._number}.x", self._number, weight=weight)
            for org, weight in self.weights.items()
        ]

    def due(self, org: str) -> float:
        """Slots."""
        return self.size * self.weights[org] / sum(self.weights.values())

    def fill(self) -> None:
        """Every slot that is free is taken by somebody who may."""
        while self.slots.free:
            waiting = self.waiting
            work = next(one for one in waiting if not self.slots.before(one, waiting))
            self.begin(work)

    def begin(self, work: Work) -> None:
        self.running.append(self.slots.begin(work))
        self.served.append(work.org)
        self.passed_over = {org: 0 if self.taken[org] else self.passed_over.get(org, 0) + 1 for org in self.weights}

    def end(self, turn: Turn) -> None:
        self.running.remove(turn)
        self.slots.end(turn)

    def passes(self, seconds: float) -> None:
        self.now += seconds
        for org, slots in self.taken.items():
            self.held[org] += round(seconds * slots)

    def interrupt(self) -> Turn | None:
        """Somebody makes room for another, if anybody has to."""
        turn = self.slots.interrupt(self.waiting)
        if turn:
            self.end(turn)
            self.fill()
        return turn


@given(st.integers(), st.integers(1, 9), WEIGHTS)
def test_slots_that_become_free_are_shared_by_weight(seed: int, slots: int, weights: dict[str, float]) -> None:
    """Whatever ends when: each has its share of the time but for one slot, and whoever has no slot has one within two rounds."""
    chance = random.Random(seed)
    site = Site(slots, weights)
    for _ in range(100):
        site.fill()
        site.passes(1)
        site.end(chance.choice(site.running))
        a_round = sum(weights.values()) / min(weights.values())
        assert max(site.passed_over.values()) <= 2 * a_round + len(weights) + slots
    for org in weights:
        assert abs(site.held[org] / site.now - site.due(org)) < 1, org


@given(st.integers(), st.integers(1, 9), WEIGHTS)
def test_of_work_that_never_ends_each_soon_has_its_share_and_then_no_more_moves(
    seed: int, slots: int, weights: dict[str, float]
) -> None:
    site = Site(slots, weights, TurnRules(surplus_seconds=SURPLUS))
    everyone, first = dict(site.weights), random.Random(seed).choice(sorted(weights))
    # One is alone at first, and takes all.
    site.weights = {first: everyone[first]}
    site.fill()
    site.weights = everyone
    site.passes(SURPLUS)
    interruptions = 0
    while site.interrupt():
        interruptions += 1
        site.passes(SURPLUS)
        assert interruptions <= slots, "nobody is interrupted to and fro"
    for org in weights:
        assert abs(site.taken[org] - site.due(org)) < 1, org


@given(st.integers(1, 6), WEIGHTS)
def test_of_work_that_never_ends_everybody_has_turns(slots: int, weights: dict[str, float]) -> None:
    site = Site(slots, weights, TurnRules(surplus_seconds=SURPLUS, turn_seconds=TURN))
    site.fill()
    rounds = 2 * len(weights) * max(weights.values()) / min(weights.values())
    moves = 0
    while site.now < TURN * rounds:
        site.passes(SURPLUS)
        moves += site.interrupt() is not None
        for org in weights:
            assert abs(site.taken[org] - site.due(org)) <= 1, org
    assert set(site.served) == set(weights)
    # Each slot moves once in a turn at most.
    assert moves <= slots * (rounds + 1)


@pytest.mark.parametrize(("slots", "shares"), [(1, (0.75, 0.25)), (2, (1.5, 0.5)), (4, (3, 1)), (5, (3.75, 1.25))])
def test_three_to_one_on_any_number_of_slots(slots: int, shares: tuple[float, float]) -> None:
    site = Site(slots, {"three0": 3, "single": 1})
    for _ in range(400):
        site.fill()
        site.passes(1)
        site.end(site.running[0])
    assert (site.held["three0"] / site.now, site.held["single"] / site.now) == pytest.approx(shares, rel=0.05)


def test_many_light_ones_leave_a_heavy_one_its_share() -> None:
    """Though there is always one of them that has no slot at all."""
    weights = {"heavy0": 10.0} | {f"light{number}": 1.0 for number in range(10)}
    site = Site(10, weights)
    for _ in range(300):
        site.fill()
        site.passes(1)
        site.end(site.running[0])
    assert site.held["heavy0"] / site.now == pytest.approx(5, rel=0.05)
    assert len({site.held[org] // 30 for org in weights if org != "heavy0"}) <= 2


@given(st.integers(), st.integers(1, 6), st.integers(1, 5))
def test_with_equal_weights_the_fewest_slots_decide_and_then_the_oldest_start(seed: int, slots: int, orgs: int) -> None:
    chance = random.Random(seed)
    site = Site(slots, dict.fromkeys("abcde"[:orgs], 1.0))
    for _ in range(40):
        while site.slots.free:
            waiting = site.waiting
            first = min(site.weights, key=lambda org: (site.taken[org], last_start(site.served, org)))
            rivals = [work for work in waiting if work.org != first]
            own = next(work for work in waiting if work.org == first)
            assert not site.slots.before(own, rivals)
            site.begin(own)
        for turn in chance.sample(site.running, chance.randint(1, slots)):
            site.end(turn)


def last_start(served: list[str], org: str) -> int:
    return max((place for place, one in enumerate(served) if one == org), default=-1)


def test_whoever_was_away_has_saved_nothing_up() -> None:
    site = Site(1, {"a": 1.0, "b": 1.0})
    site.fill()
    site.weights = {"a": 1.0}
    for _ in range(50):
        site.end(site.running[0])
        site.fill()
    site.weights = {"a": 1.0, "b": 1.0}
    for _ in range(6):
        site.end(site.running[0])
        site.fill()
    assert Counter(site.served[-6:]) == {"a": 3, "b": 3}


def test_the_newest_weight_of_an_organization_holds() -> None:
    old, new = Work("a", "jobs.a.old.x", 1, weight=1), Work("a", "jobs.a.new.x", 2, weight=3)
    other = Work("b", "jobs.b.one.x", 3)
    shares = Shares(4)
    order = shares.between([new, other, old], {"a": 2, "b": 1})
    assert order.place("a") < order.place("b"), "it has two of the three that are due"
    assert shares.between([old, other], {"a": 2, "b": 1}).place("a") > order.place("b")

"""Who may begin next."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.api.projection.admission import USUAL, Caps, Share, WaitingJob, choose


def waiting(**jobs: int) -> list[WaitingJob]:
    """So many jobs of each organization."""
    return [WaitingJob(org, f"{org}-{number}") for org, count in jobs.items() for number in range(count)]


def orgs(chosen: list[WaitingJob]) -> list[str]:
    return [job.org for job in chosen]


def test_nobody_waits() -> None:
    assert choose([], {"a": 3}, Caps(10, 5)) == []


def test_one_organization_up_to_its_cap() -> None:
    assert [job.id for job in choose(waiting(a=9), {}, Caps(10, 3))] == ["a-0", "a-1", "a-2"]


def test_the_cap_in_all() -> None:
    assert len(choose(waiting(a=9, b=9, c=9), {}, Caps(4, 3))) == 4
    assert choose(waiting(a=9), {"b": 4}, Caps(4, 3)) == []
    assert choose(waiting(a=9), {"b": 5}, Caps(4, 3)) == []


def test_turn_by_turn() -> None:
    assert orgs(choose(waiting(a=5, b=2, c=5), {}, Caps(7, 7))) == ["a", "b", "c", "a", "b", "c", "a"]


def test_who_has_less_under_way_comes_first() -> None:
    assert orgs(choose(waiting(a=5, b=5), {"a": 2}, Caps(6, 6))) == ["b", "b", "a", "b"]


def test_among_equals_whoever_waited_longest() -> None:
    assert orgs(choose(waiting(a=2, b=2, c=2), {"a": 1, "b": 1, "c": 1}, Caps(5, 5), {"a": 9, "b": 4, "c": 7})) == [
        "b",
        "c",
    ]
    assert orgs(choose(waiting(a=2, b=2), {}, Caps(1, 1), {"a": 1})) == ["b"], (
        "who never was served comes before who was"
    )


def test_an_organization_keeps_its_own_order() -> None:
    jobs = [WaitingJob("a", "high"), WaitingJob("a", "old"), WaitingJob("b", "x"), WaitingJob("a", "new")]
    assert [job.id for job in choose(jobs, {}, Caps(9, 9)) if job.org == "a"] == ["high", "old", "new"]


def test_others_at_their_cap_leave_the_places_free() -> None:
    assert orgs(choose(waiting(a=5, b=5), {"a": 3}, Caps(9, 3))) == ["b", "b", "b"]


def test_a_small_organization_starts_before_the_big_ones_tenth_is_done() -> None:
    """190 jobs are there first; ten of another organization come when all places are taken."""
    backlog = waiting(big=190)
    active: Counter[str] = Counter()
    running: list[WaitingJob] = []
    done: list[str] = []
    served: dict[str, int] = {}
    for step in range(400):
        if step == 1:
            backlog += waiting(small=10)
        for job in choose(backlog, active, Caps(8, 6), served):
            backlog.remove(job)
            running.append(job)
            active[job.org] += 1
            served[job.org] = step
        if any(job.org == "small" for job in running):
            break
        finished = running.pop(0)
        active[finished.org] -= 1
        done.append(finished.org)
    else:
        raise AssertionError("the small organization never started")
    assert done.count("big") < 10


def test_places_are_shared_by_weight() -> None:
    shares = {"a": Share(3), "c": Share(0.5)}
    assert Counter(orgs(choose(waiting(a=99, b=99, c=99), {}, Caps(27, 99), None, shares))) == {"a": 18, "b": 6, "c": 3}
    # With nothing under way, one comes first however little it weighs.
    assert orgs(choose(waiting(a=9, c=9), {"a": 1}, Caps(2, 9), None, shares)) == ["c"]


def test_a_cap_of_its_own() -> None:
    shares = {"a": Share(cap=1), "b": Share(cap=5), "c": Share(cap=0)}
    chosen = Counter(orgs(choose(waiting(a=9, b=9, c=9, d=9), {"b": 1}, Caps(99, 3), None, shares)))
    assert chosen == {"a": 1, "b": 4, "c": 9, "d": 3}


def test_over_time_everybody_gets_his_share() -> None:
    """Whichever job ends next, places are given in proportion to the weights as long as all have jobs waiting."""
    shares = {"heavy": Share(3), "light": Share(1)}
    active: Counter[str] = Counter()
    given: Counter[str] = Counter()
    served: dict[str, int] = {}
    ends = random.Random(7)
    for step in range(4000):
        for job in choose(waiting(heavy=8, light=8), active, Caps(8, 8), served, shares):
            active[job.org] += 1
            given[job.org] += 1
            served[job.org] = step
        active[ends.choice(sorted(active.elements()))] -= 1
    assert 2.8 < given["heavy"] / given["light"] < 3.2


names = st.sampled_from(["a", "b", "c", "d"])


@given(
    st.dictionaries(names, st.integers(1, 8)),
    st.dictionaries(names, st.integers(0, 5)),
    st.integers(1, 12),
    st.integers(1, 6),
    st.dictionaries(names, st.integers(0, 99)),
    st.dictionaries(names, st.builds(Share, st.sampled_from([0.01, 0.5, 1, 3, 100]), st.none() | st.integers(0, 7))),
)
def test_caps_hold_and_no_place_is_left_empty(
    jobs: dict[str, int],
    active: dict[str, int],
    most: int,
    most_of_one: int,
    served: dict[str, int],
    shares: dict[str, Share],
) -> None:
    caps = Caps(most, most_of_one)
    chosen = choose(waiting(**jobs), active, caps, served, shares)
    share = {org: shares.get(org, USUAL) for org in jobs}
    cap = {org: most_of_one if each.cap is None else each.cap or sum(jobs.values()) + 9 for org, each in share.items()}
    taken = Counter(orgs(chosen))
    under_way = Counter(active) + taken
    assert len(set(chosen)) == len(chosen)
    assert all(under_way[org] <= cap[org] for org in taken)
    assert len(chosen) <= max(0, most - sum(active.values()))
    left = {org for org, count in jobs.items() if count > taken[org] and under_way[org] < cap[org]}
    assert not left or under_way.total() >= most
    # Nobody got another place while somebody else, who wanted one, had fewer for his weight.
    for org in left:
        assert all(
            under_way[org] / share[org].weight >= (under_way[other] - 1) / share[other].weight for other in taken
        )

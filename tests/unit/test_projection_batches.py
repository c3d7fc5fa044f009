"""The projection's rows: however the log is cut into batches, and whatever of it comes again, they come to the same."""

from hypothesis import given
from hypothesis import strategies as st

from services.api.projection.projection import Folded, fold
from shared.events import Event, Recorded
from tests.support.lives import lives


def recorded(life: list[Event]) -> list[Recorded]:
    """With the places of a log that has other jobs in it too."""
    return [Recorded(10 + 3 * number, event) for number, event in enumerate(life)]


@given(lives(), st.data())
def test_batches_come_to_the_same_as_one_by_one(life: list[Event], data: st.DataObject) -> None:
    log = recorded(life)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(log)))))
    folded: Folded | None = None
    for begin, end in zip([0, *cuts], [*cuts, len(log)], strict=True):
        folded = fold(folded, log[begin:end])
    one_by_one: Folded | None = None
    for item in log:
        one_by_one = fold(one_by_one, [item])
    assert folded == one_by_one == fold(None, log)


@given(lives(), st.data())
def test_what_comes_again_changes_nothing(life: list[Event], data: st.DataObject) -> None:
    """A leader that was replaced in the middle: its successor begins at any earlier place, again and again."""
    log = recorded(life)
    folded, reached = None, 0
    while reached < len(log):
        begin, end = data.draw(st.integers(0, reached)), data.draw(st.integers(reached + 1, len(log)))
        folded, reached = fold(folded, log[begin:end]), end
    assert folded == fold(None, log)
    assert fold(folded, log) is folded


@given(st.lists(lives(), min_size=2, max_size=2), st.data())
def test_jobs_do_not_meet(two: list[list[Event]], data: st.DataObject) -> None:
    """Events of another job between a job's own, in any mixture, leave its state alone."""
    mixture = data.draw(st.permutations([0] * len(two[0]) + [1] * len(two[1])))
    taken: list[list[Recorded]] = [[], []]
    for sequence, which in enumerate(mixture, 1):
        taken[which].append(Recorded(sequence, two[which][len(taken[which])]))
    for life, log in zip(two, taken, strict=True):
        alone = fold(None, recorded(life))
        folded = fold(None, log)
        assert alone
        assert folded
        assert folded.job == alone.job
        assert folded.sequence == log[-1].sequence

"""The lane of one hook and one job: what is sent when."""

from datetime import UTC, datetime, timedelta

from services.notifier import delivery_queue as order
from services.notifier.delivery_queue import Busy, Claim, Lane, Later, Pending, Rest, Send, Supersede
from shared.job import Status

NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=5)
MINE = Claim(token="mine", sequence=3, until=NOW + timedelta(seconds=20))
THEIRS = Claim(token="theirs", sequence=7, until=NOW + timedelta(seconds=20))
STATES: tuple[tuple[Status, int], ...] = (("queued", 3), ("transcoding", 7), ("completed", 11))


def lane_of(count: int) -> Lane:
    lane = Lane()
    for status, sequence in STATES[:count]:
        lane = order.announce(lane, status, sequence, NOW)
    return lane


def claimed(lane: Lane) -> tuple[Lane, Pending]:
    step = order.next_step(lane, NOW)
    assert isinstance(step, Send)
    mine = MINE.model_copy(update={"sequence": step.pending.sequence})
    return order.claim(lane, step.pending, mine, NOW), step.pending


def test_the_oldest_due_state_is_sent_first() -> None:
    step = order.next_step(lane_of(3), NOW)
    assert isinstance(step, Send)
    assert step.pending.status == "queued"


def test_an_empty_lane_rests() -> None:
    assert order.next_step(Lane(), NOW) == Rest()


def test_a_state_is_announced_once() -> None:
    lane = lane_of(2)
    assert order.announce(lane, "transcoding", 7, SOON) == lane
    assert order.announce(lane, "queued", 3, SOON) == lane


def test_only_one_sends_at_a_time() -> None:
    lane, pending = claimed(lane_of(2))
    assert order.next_step(lane, NOW) == Busy(MINE.until)
    assert order.claim(lane, pending, THEIRS, NOW).claim == MINE


def test_a_claim_is_over_when_its_time_is() -> None:
    lane, pending = claimed(lane_of(1))
    assert order.next_step(lane, MINE.until) == Send(pending.model_copy(update={"uncertain": True}))


def test_a_claim_that_was_stored_without_our_knowing_is_still_ours() -> None:
    lane, pending = claimed(lane_of(1))
    assert order.claim(lane, pending, MINE, NOW) == lane


def test_a_newer_state_does_not_wait_for_the_retry_of_an_older_one() -> None:
    lane, queued = claimed(lane_of(2))
    lane = order.settle(lane, "mine", queued, "failed", SOON)
    step = order.next_step(lane, NOW)
    assert isinstance(step, Send)
    assert step.pending.status == "transcoding"


def test_what_is_older_than_an_accepted_state_is_superseded() -> None:
    lane, queued = claimed(lane_of(2))
    lane = order.settle(lane, "mine", queued, "failed", SOON)
    lane, transcoding = claimed(lane)
    lane = order.settle(lane, "mine", transcoding, "delivered", None)
    step = order.next_step(lane, NOW)
    assert step == Supersede(queued.model_copy(update={"attempt": 2, "due": SOON}))
    assert order.next_step(order.drop(lane, step.pending), SOON) == Rest()


def test_a_failed_state_waits_until_it_is_due() -> None:
    lane, queued = claimed(lane_of(1))
    lane = order.settle(lane, "mine", queued, "failed", SOON)
    assert order.next_step(lane, NOW) == Later((queued.model_copy(update={"attempt": 2, "due": SOON}),))
    assert order.next_step(lane, SOON) == Send(queued.model_copy(update={"attempt": 2, "due": SOON}))


def test_giving_up_on_a_state_leaves_the_newer_ones() -> None:
    lane, queued = claimed(lane_of(2))
    lane = order.settle(lane, "mine", queued, "gave_up", None)
    assert [pending.status for pending in lane.pending] == ["transcoding"]
    assert lane.accepted == 0


def test_settling_twice_changes_nothing_more() -> None:
    lane, queued = claimed(lane_of(2))
    once = order.settle(lane, "mine", queued, "failed", SOON)
    assert order.settle(once, "mine", queued, "failed", SOON) == once


def test_settling_late_leaves_the_claim_of_another_alone() -> None:
    lane, queued = claimed(lane_of(1))
    lane = lane.model_copy(update={"claim": THEIRS})
    lane = order.settle(lane, "mine", queued, "delivered", None)
    assert lane.claim == THEIRS
    assert lane.accepted == queued.sequence


def test_releasing_gives_back_only_ones_own_claim() -> None:
    lane, _ = claimed(lane_of(1))
    assert order.release(lane, "theirs").claim == MINE
    assert order.release(lane, "mine").claim is None


def test_a_redelivery_waits_for_whoever_is_sending() -> None:
    lane, _ = claimed(lane_of(1))
    assert order.claim_anyway(lane, THEIRS, NOW).claim == MINE
    assert order.claim_anyway(lane_of(1), THEIRS, NOW).claim == THEIRS


def test_an_accepted_redelivery_supersedes_the_waiting_attempts_up_to_it() -> None:
    lane, queued = claimed(lane_of(2))
    lane = order.settle(lane, "mine", queued, "failed", SOON)
    lane = order.claim_anyway(lane, THEIRS, NOW)
    lane = order.settle(lane, "theirs", Pending(status="transcoding", sequence=7, due=NOW), "delivered", None)
    assert isinstance(order.next_step(lane, NOW), Supersede)


def failed_then_sending() -> tuple[Lane, Pending]:
    """`queued` has failed and is due again soon, `transcoding` is being sent."""
    lane, queued = claimed(lane_of(2))
    return claimed(order.settle(lane, "mine", queued, "failed", SOON))


def test_older_states_wait_while_nobody_knows_whether_a_newer_one_was_accepted() -> None:
    lane, transcoding = failed_then_sending()
    # The sender died: `queued` is due as well, but the receiver may have accepted `transcoding`.
    assert order.next_step(lane, MINE.until) == Send(transcoding.model_copy(update={"uncertain": True}))


def test_a_sender_that_stops_midway_leaves_the_same_doubt() -> None:
    lane, transcoding = failed_then_sending()
    lane = order.release(lane, "mine")
    assert order.next_step(lane, SOON) == Send(transcoding.model_copy(update={"uncertain": True}))


def test_a_lost_answer_leaves_the_same_doubt() -> None:
    lane, transcoding = failed_then_sending()
    later = SOON + timedelta(hours=1)
    lane = order.settle(lane, "mine", transcoding, "failed", later, uncertain=True)
    again = transcoding.model_copy(update={"attempt": 2, "due": later, "uncertain": True})
    assert order.next_step(lane, SOON) == Later((again,))
    assert order.next_step(lane, later) == Send(again)


def test_the_doubt_is_over_when_the_newer_state_is_given_up() -> None:
    lane, transcoding = failed_then_sending()
    lane = order.settle(lane, "mine", transcoding, "gave_up", uncertain=True)
    step = order.next_step(lane, SOON)
    assert isinstance(step, Send)
    assert step.pending.status == "queued"


def test_a_clear_refusal_leaves_no_doubt() -> None:
    lane, transcoding = failed_then_sending()
    lane = order.settle(lane, "mine", transcoding, "failed", SOON + timedelta(hours=1))
    step = order.next_step(lane, SOON)
    assert isinstance(step, Send)
    assert step.pending.status == "queued"


def test_doubt_outlasts_a_clear_refusal_of_a_later_attempt() -> None:
    lane, transcoding = failed_then_sending()
    lane = order.settle(lane, "mine", transcoding, "failed", SOON, uncertain=True)
    step = order.next_step(lane, SOON)
    assert isinstance(step, Send)
    lane = order.claim(lane, step.pending, THEIRS, SOON)
    lane = order.settle(lane, "theirs", step.pending, "failed", SOON + timedelta(hours=1))
    waiting = order.next_step(lane, SOON)
    assert isinstance(waiting, Later)
    assert [pending.status for pending in waiting.waiting] == ["transcoding"]


def test_a_lane_survives_its_storage() -> None:
    lane, _ = claimed(lane_of(3))
    assert Lane.model_validate_json(lane.model_dump_json()) == lane

"""The queue of one hook and one job: what is sent when."""

from datetime import UTC, datetime, timedelta

from services.notifier import delivery_queue
from services.notifier.delivery_queue import Busy, Claim, DeliveryQueue, Later, Pending, Rest, Send, Supersede
from shared.job import Status

NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=5)
MINE = Claim(token="mine", sequence=3, until=NOW + timedelta(seconds=20))
THEIRS = Claim(token="theirs", sequence=7, until=NOW + timedelta(seconds=20))
STATES: tuple[tuple[Status, int], ...] = (("queued", 3), ("transcoding", 7), ("completed", 11))


def lane_of(count: int) -> DeliveryQueue:
    queue = DeliveryQueue()
    for status, sequence in STATES[:count]:
        queue = delivery_queue.announce(queue, status, sequence, NOW)
    return queue


def claimed(queue: DeliveryQueue) -> tuple[DeliveryQueue, Pending]:
    step = delivery_queue.next_step(queue, NOW)
    assert isinstance(step, Send)
    mine = MINE.model_copy(update={"sequence": step.pending.sequence})
    return delivery_queue.claim(queue, step.pending, mine, NOW), step.pending


def test_the_oldest_due_state_is_sent_first() -> None:
    step = delivery_queue.next_step(lane_of(3), NOW)
    assert isinstance(step, Send)
    assert step.pending.status == "queued"


def test_an_empty_lane_rests() -> None:
    assert delivery_queue.next_step(DeliveryQueue(), NOW) == Rest()


def test_a_state_is_announced_once() -> None:
    queue = lane_of(2)
    assert delivery_queue.announce(queue, "transcoding", 7, SOON) == queue
    assert delivery_queue.announce(queue, "queued", 3, SOON) == queue


def test_only_one_sends_at_a_time() -> None:
    queue, pending = claimed(lane_of(2))
    assert delivery_queue.next_step(queue, NOW) == Busy(MINE.until)
    assert delivery_queue.claim(queue, pending, THEIRS, NOW).claim == MINE


def test_a_claim_is_over_when_its_time_is() -> None:
    queue, pending = claimed(lane_of(1))
    assert delivery_queue.next_step(queue, MINE.until) == Send(pending.model_copy(update={"uncertain": True}))


def test_a_claim_that_was_stored_without_our_knowing_is_still_ours() -> None:
    queue, pending = claimed(lane_of(1))
    assert delivery_queue.claim(queue, pending, MINE, NOW) == queue


def test_a_newer_state_does_not_wait_for_the_retry_of_an_older_one() -> None:
    queue, queued = claimed(lane_of(2))
    queue = delivery_queue.settle(queue, "mine", queued, "failed", SOON)
    step = delivery_queue.next_step(queue, NOW)
    assert isinstance(step, Send)
    assert step.pending.status == "transcoding"


def test_what_is_older_than_an_accepted_state_is_superseded() -> None:
    queue, queued = claimed(lane_of(2))
    queue = delivery_queue.settle(queue, "mine", queued, "failed", SOON)
    queue, transcoding = claimed(queue)
    queue = delivery_queue.settle(queue, "mine", transcoding, "delivered", None)
    step = delivery_queue.next_step(queue, NOW)
    assert step == Supersede(queued.model_copy(update={"attempt": 2, "due": SOON}))
    assert delivery_queue.next_step(delivery_queue.drop(queue, step.pending), SOON) == Rest()


def test_a_failed_state_waits_until_it_is_due() -> None:
    queue, queued = claimed(lane_of(1))
    queue = delivery_queue.settle(queue, "mine", queued, "failed", SOON)
    assert delivery_queue.next_step(queue, NOW) == Later((queued.model_copy(update={"attempt": 2, "due": SOON}),))
    assert delivery_queue.next_step(queue, SOON) == Send(queued.model_copy(update={"attempt": 2, "due": SOON}))


def test_giving_up_on_a_state_leaves_the_newer_ones() -> None:
    queue, queued = claimed(lane_of(2))
    queue = delivery_queue.settle(queue, "mine", queued, "gave_up", None)
    assert [pending.status for pending in queue.pending] == ["transcoding"]
    assert queue.accepted == 0


def test_settling_twice_changes_nothing_more() -> None:
    queue, queued = claimed(lane_of(2))
    once = delivery_queue.settle(queue, "mine", queued, "failed", SOON)
    assert delivery_queue.settle(once, "mine", queued, "failed", SOON) == once


def test_settling_late_leaves_the_claim_of_another_alone() -> None:
    queue, queued = claimed(lane_of(1))
    queue = queue.model_copy(update={"claim": THEIRS})
    queue = delivery_queue.settle(queue, "mine", queued, "delivered", None)
    assert queue.claim == THEIRS
    assert queue.accepted == queued.sequence


def test_releasing_gives_back_only_ones_own_claim() -> None:
    queue, _ = claimed(lane_of(1))
    assert delivery_queue.release(queue, "theirs").claim == MINE
    assert delivery_queue.release(queue, "mine").claim is None


def test_a_redelivery_waits_for_whoever_is_sending() -> None:
    queue, _ = claimed(lane_of(1))
    assert delivery_queue.claim_anyway(queue, THEIRS, NOW).claim == MINE
    assert delivery_queue.claim_anyway(lane_of(1), THEIRS, NOW).claim == THEIRS


def test_an_accepted_redelivery_supersedes_the_waiting_attempts_up_to_it() -> None:
    queue, queued = claimed(lane_of(2))
    queue = delivery_queue.settle(queue, "mine", queued, "failed", SOON)
    queue = delivery_queue.claim_anyway(queue, THEIRS, NOW)
    queue = delivery_queue.settle(
        queue, "theirs", Pending(status="transcoding", sequence=7, due=NOW), "delivered", None
    )
    assert isinstance(delivery_queue.next_step(queue, NOW), Supersede)


def failed_then_sending() -> tuple[DeliveryQueue, Pending]:
    """`queued` has failed and is due again soon, `transcoding` is being sent."""
    queue, queued = claimed(lane_of(2))
    return claimed(delivery_queue.settle(queue, "mine", queued, "failed", SOON))


def test_older_states_wait_while_nobody_knows_whether_a_newer_one_was_accepted() -> None:
    queue, transcoding = failed_then_sending()
    # The sender died: `queued` is due as well, but the receiver may have accepted `transcoding`.
    assert delivery_queue.next_step(queue, MINE.until) == Send(transcoding.model_copy(update={"uncertain": True}))


def test_a_sender_that_stops_midway_leaves_the_same_doubt() -> None:
    queue, transcoding = failed_then_sending()
    queue = delivery_queue.release(queue, "mine")
    assert delivery_queue.next_step(queue, SOON) == Send(transcoding.model_copy(update={"uncertain": True}))


def test_a_lost_answer_leaves_the_same_doubt() -> None:
    queue, transcoding = failed_then_sending()
    later = SOON + timedelta(hours=1)
    queue = delivery_queue.settle(queue, "mine", transcoding, "failed", later, uncertain=True)
    again = transcoding.model_copy(update={"attempt": 2, "due": later, "uncertain": True})
    assert delivery_queue.next_step(queue, SOON) == Later((again,))
    assert delivery_queue.next_step(queue, later) == Send(again)


def test_a_newer_state_that_is_given_up_in_doubt_supersedes_the_older_ones() -> None:
    queue, transcoding = failed_then_sending()
    queue = delivery_queue.settle(queue, "mine", transcoding, "gave_up", uncertain=True)
    step = delivery_queue.next_step(queue, SOON)
    assert isinstance(step, Supersede)
    assert step.pending.status == "queued"


def test_a_newer_state_that_is_given_up_after_clear_refusals_leaves_the_older_ones() -> None:
    queue, transcoding = failed_then_sending()
    queue = delivery_queue.settle(queue, "mine", transcoding, "gave_up")
    step = delivery_queue.next_step(queue, SOON)
    assert isinstance(step, Send)
    assert step.pending.status == "queued"


def test_a_clear_refusal_leaves_no_doubt() -> None:
    queue, transcoding = failed_then_sending()
    queue = delivery_queue.settle(queue, "mine", transcoding, "failed", SOON + timedelta(hours=1))
    step = delivery_queue.next_step(queue, SOON)
    assert isinstance(step, Send)
    assert step.pending.status == "queued"


def test_doubt_outlasts_a_clear_refusal_of_a_later_attempt() -> None:
    queue, transcoding = failed_then_sending()
    queue = delivery_queue.settle(queue, "mine", transcoding, "failed", SOON, uncertain=True)
    step = delivery_queue.next_step(queue, SOON)
    assert isinstance(step, Send)
    queue = delivery_queue.claim(queue, step.pending, THEIRS, SOON)
    queue = delivery_queue.settle(queue, "theirs", step.pending, "failed", SOON + timedelta(hours=1))
    waiting = delivery_queue.next_step(queue, SOON)
    assert isinstance(waiting, Later)
    assert [pending.status for pending in waiting.waiting] == ["transcoding"]


def test_a_lane_survives_its_storage() -> None:
    queue, _ = claimed(lane_of(3))
    assert DeliveryQueue.model_validate_json(queue.model_dump_json()) == queue

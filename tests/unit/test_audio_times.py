"""Where samples belong whose stamps jitter, drift and have gaps."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from services.transcoder.audio_times import MOST_PIECES, Piece, expression, read_frames, straighten
from tests.support.sound import RATE

FRAME = RATE // 50
SYNC = 0.020 * RATE


def stamped(seconds: float, stamp: Callable[[float], float]) -> list[tuple[int, int]]:
    """Frames of 20 ms, with what becomes of the seconds at which each truly begins."""
    return [(round(stamp(number / 50) * RATE), FRAME) for number in range(round(seconds * 50))]


def off(pieces: tuple[Piece, ...], truth: list[tuple[int, int]]) -> float:
    """By how many samples a frame is at most off its true time."""
    worst, position = 0.0, 0
    for stamp, length in truth:
        piece = next(one for one in reversed(pieces) if one.first <= position)
        worst = max(worst, abs(position + piece.shift + piece.drift * (position - piece.first) - stamp))
        position += length
    return worst


def test_stamps_that_follow_each_other_are_left_as_they_are() -> None:
    assert straighten(stamped(60, lambda second: second + 10), RATE) == (Piece(0, 10 * RATE, 0.0),)
    assert straighten([], RATE) == ()


@pytest.mark.parametrize(("early", "late"), [(0.0, 0.004), (0.0, 0.03), (0.03, 0.03)])
def test_jitter_is_no_gap(early: float, late: float) -> None:
    chance = Random(7)
    [piece] = straighten(stamped(300, lambda second: second + chance.uniform(-early, late)), RATE)
    assert piece.drift == 0 and -early * RATE <= piece.shift <= late * RATE and abs(piece.shift) < SYNC


def test_bursts_and_stalls_are_no_gaps() -> None:
    """Three frames at once, as browsers write them; and half a second in which nothing was written."""
    [piece] = straighten(stamped(60, lambda second: second - second % 0.06 + 0.06), RATE)
    assert piece.drift == 0
    held = stamped(60, lambda second: 30.2 if 30 <= second < 30.2 else second)
    assert off(straighten(held, RATE), stamped(60, lambda second: second)) < SYNC


@pytest.mark.parametrize("tempo", [1.001, 0.999])
def test_a_drift_is_followed(tempo: float) -> None:
    chance, truth = Random(7), stamped(600, lambda second: second * tempo)
    frames = [(stamp + round(chance.uniform(0, 0.03) * RATE), length) for stamp, length in truth]
    pieces = straighten(frames, RATE)
    assert len(pieces) <= 2 and off(pieces, truth) < SYNC
    assert all(abs(piece.drift - (tempo - 1)) < 0.0001 for piece in pieces)


@pytest.mark.parametrize("jitter", [0.0, 0.03])
@pytest.mark.parametrize("gap", [2.0, 0.3, -0.4])
def test_a_gap_is_where_it_is_and_as_long(gap: float, jitter: float) -> None:
    chance, truth = Random(7), stamped(60, lambda second: second + gap if second >= 20 else second)
    frames = [(stamp + round(chance.uniform(0, jitter) * RATE), length) for stamp, length in truth]
    before, after = straighten(frames, RATE)
    assert after.first == 20 * RATE and abs(after.shift - before.shift - gap * RATE) < SYNC / 2
    assert off((before, after), truth) < SYNC


def test_one_lost_packet_is_a_gap_where_nothing_jitters() -> None:
    truth = stamped(20, lambda second: second + 0.021 if second >= 10 else second)
    assert [replace(piece, shift=round(piece.shift)) for piece in straighten(truth, RATE)] == [
        Piece(0, 0, 0.0),
        Piece(10 * RATE, 1008, 0.0),
    ]


def test_pauses_that_are_not_sent_are_gaps_each() -> None:
    """As of speech: in a pause, 20 ms are sent every 400 ms."""
    truth, clock = [], 0
    for second in range(60):
        for _ in range(50 if second % 2 else 3):
            truth.append((clock, FRAME))
            clock += FRAME if second % 2 else 20 * FRAME
    pieces = straighten(truth, RATE)
    assert off(pieces, truth) < SYNC and len(pieces) > 60


def test_what_is_nothing_but_gaps_is_followed_as_it_is() -> None:
    assert straighten([(number * 10 * FRAME, FRAME) for number in range(MOST_PIECES + 2)], RATE) == ()


def test_the_expression_is_no_deeper_than_it_must_be() -> None:
    pieces = tuple(Piece(number * FRAME, number * 10.5, 0.001) for number in range(1000))
    text = expression(pieces)
    depths = [0]
    for character in text:
        depths.append(depths[-1] + {"(": 1, ")": -1}.get(character, 0))
    assert depths[-1] == 0 and max(depths) < 25 and text.count("if(lt(") == 999
    assert expression(pieces[:1]) == "NB_CONSUMED_SAMPLES+0.000+0.001000000*(NB_CONSUMED_SAMPLES-0)"
    assert all(early.first < late.first for early, late in pairwise(pieces))


def test_lines_without_a_time_are_left_out() -> None:
    assert read_frames(["0 960\n", "NOPTS 960\n", "-5 3\n", "96"]) == [(0, 960), (-5, 3)]

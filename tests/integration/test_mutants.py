"""Broken files through probe, plan and encode: each is encoded or refused with a code, soon, and leaves nothing behind.

A sample here; `make corpus` takes a thousand.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.mutants import mutant, outcome_of

ALL = os.environ.get("CORPUS") == "all"
SAMPLE = ((59, 25, 30, 77, 0), (108, 139, 56, 27, 53))
BATCHES = [range(first, first + 25) for first in range(0, 1000, 25)] if ALL else SAMPLE
# What a customer can do something about. That encoding fails, or hangs, would be the operator's trouble.
REFUSALS = {
    "input_not_video",
    "input_no_video_stream",
    "input_no_audio_stream",
    "input_unsupported_codec",
    "input_truncated",
    "input_damaged",
    "input_encrypted",
    "input_too_long",
    "input_too_large",
    "input_empty",
}


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("numbers", BATCHES, ids=lambda numbers: f"from-{numbers[0]}")
async def test_broken_files_are_encoded_or_refused(numbers: Sequence[int], tmp_path: Path) -> None:
    outcomes = {broken.name: await outcome_of(broken, tmp_path) for broken in map(mutant, numbers)}
    assert not {name: code for name, code in outcomes.items() if code not in {"encoded", *REFUSALS}}
    assert list(tmp_path.iterdir()) == []

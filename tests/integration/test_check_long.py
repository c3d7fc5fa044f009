"""The check before a job is completed takes ten times as long for a film that is ten times as long, and no longer."""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from types import FrameType
from typing import Any

from services.uploader.compliance import check_presentation
from services.uploader.finish import playlists
from services.uploader.manifest.playlists import multivariant_playlist
from services.uploader.manifest.presentation import Presentation
from shared.media.layout import MULTIVARIANT
from tests.support.written import SCALE, write_presentation

SHORT = write_presentation().presentation


def film(segments: int) -> tuple[Presentation, dict[str, bytes]]:
    """A film of so many segments of six seconds, with three GOPs each, and its documents."""
    lengths, sizes = (6 * SCALE,) * segments, tuple(90_000 + 37 * number % 5000 for number in range(segments))
    gops = ((24, 4000, 2 * SCALE), (30_000, 4000, 2 * SCALE), (60_000, 4000, 2 * SCALE))
    # The priming comes before.
    cuts = [-1024, *(number * 6 * 48_000 // 1024 * 1024 for number in range(1, segments + 1))]
    presentation = Presentation(
        tuple(replace(one, durations=lengths, sizes=sizes, iframes=(gops,) * segments) for one in SHORT.video),
        tuple(
            replace(one, durations=tuple(end - start for start, end in pairwise(cuts)), sizes=sizes)
            for one in SHORT.audio
        ),
        tuple(replace(one, durations=lengths, sizes=sizes) for one in SHORT.text),
    )
    return presentation, playlists(presentation) | {MULTIVARIANT: multivariant_playlist(presentation).encode()}


def steps(work: Callable[[], object]) -> int:
    """How many lines of Python are carried out, which no other process has a hand in."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def test_the_work_grows_with_the_length_of_the_film() -> None:
    taken = []
    for segments in (40, 400):
        presentation, documents = film(segments)
        assert check_presentation(presentation, documents).violated == ()
        taken.append(steps(partial(check_presentation, presentation, documents)))
    assert taken[1] < 11 * taken[0]

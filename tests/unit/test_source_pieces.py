"""Which bytes of a source a part reads, and how pieces of a file become an input of ffmpeg."""

from fractions import Fraction
from pathlib import Path

import pytest

from services.fetcher.plan.spans import with_spans
from services.fetcher.probe.places import Places
from services.transcoder.reads import source_read
from shared.media.plan import Plan, VideoPart
from shared.media.source import Source, VideoTrack
from shared.workspace.pieces import with_holes
from shared.workspace.space import SourceRead
from tests.support.encoded import make_plan

FRAMES, RATE, SIZE = 4000, 25, 10_000
BEGIN = 1000


def places() -> Places:
    """A frame in each packet of the video, a second of time for 25 of them, one packet after the other, then an index."""
    found = Places()
    for number in range(FRAMES):
        found.add(str(BEGIN + number * SIZE), str(SIZE), number)
    return found


def source(demuxer: str = "mov", **changes: object) -> Source:
    video = VideoTrack(
        index=0, codec="h264", pixel_format="yuv420p", width=854, height=480, time_base=Fraction(1, RATE), start_pts=0,
        end_pts=FRAMES, frames=FRAMES, frame_rate=Fraction(RATE),
    )  # fmt: skip
    size = BEGIN + FRAMES * SIZE + 500_000
    made = Source(demuxer=demuxer, file="source.bin", bytes=size, duration=FRAMES / RATE, video=video)
    return made.model_copy(update=changes)


def plan() -> Plan:
    """Parts that begin with a key frame of the source a second before them, as open GOPs make them."""
    made = make_plan(frames=FRAMES)
    parts = [
        part
        if number == 0
        else part.model_copy(update={"seek": part.first_frame / RATE - 1, "first_pts": part.first_frame})
        for number, part in enumerate(made.video)
    ]
    return made.model_copy(update={"video": tuple(parts)})


def frames_in(part: VideoPart) -> range:
    assert part.span
    begin, end = part.span
    return range((begin - BEGIN) // SIZE, (end - BEGIN) // SIZE)


def test_a_span_goes_from_the_key_frame_to_some_packets_after_the_last_frame() -> None:
    made, known = with_spans(plan(), source(), places())
    assert known.head == BEGIN + 605 * SIZE, "the packets that ffmpeg looks at"
    assert known.tail == BEGIN + FRAMES * SIZE
    first, second, *_, last = made.video
    assert frames_in(first).start == 0
    assert frames_in(second).start == second.first_frame - RATE
    assert second.first_frame + second.frames + 50 < frames_in(second).stop < second.first_frame + second.frames + 150
    assert frames_in(last).stop == FRAMES


def test_clusters_of_matroska_are_read_whole() -> None:
    made, _ = with_spans(plan(), source("matroska"), places())
    second = made.video[1]
    assert frames_in(second).start == second.first_frame - RATE - 6 * RATE


def test_frames_that_are_shown_earlier_than_they_are_read_are_in_the_span() -> None:
    found = Places()
    for number in range(FRAMES):
        # Of two neighbours the later one is read first.
        found.add(str(BEGIN + number * SIZE), str(SIZE), number ^ 1)
    second = with_spans(plan(), source(), found)[0].video[1]
    assert frames_in(second).start <= second.first_frame - RATE
    assert frames_in(second).stop > second.first_frame + second.frames + 50


@pytest.mark.parametrize("why", ["uncuttable", "hidden", "one part", "no such key frame"])
def test_where_nobody_can_tell_there_is_no_span(why: str) -> None:
    before, film, found = plan(), source(cuttable=why != "uncuttable"), places()
    if why == "hidden":
        found.add("N/A", "9", 1)
    if why == "one part":
        before = before.model_copy(update={"video": before.video[:1]})
    if why == "no such key frame":
        lost = before.video[1].model_copy(update={"seek": 1e6})
        before = before.model_copy(update={"video": (before.video[0], lost)})
    made, _ = with_spans(before, film, found)
    assert made.video[-1].span is None


def test_a_part_reads_head_span_and_tail() -> None:
    made, known = with_spans(plan(), source(), places())
    assert known.head and known.tail
    part = next(part for part in made.video if part.span and part.span[0] > known.head + 2**20)
    assert part.span
    read = source_read(known, part)
    assert read == SourceRead("source.bin", known.bytes, (part.span,), ((0, known.head), (known.tail, known.bytes)))
    assert read.all_of_it.own is None


def test_spans_that_nearly_touch_are_read_as_one() -> None:
    film = source(head=1_000_000, tail=40_000_000)
    near = VideoPart(name="v0001", first_segment=0, first_frame=0, frames=9, span=(1_050_000, 2_000_000))
    assert source_read(film, near).own == ((1_000_000, 2_000_000),)
    inside = near.model_copy(update={"span": (10, 900_000)})
    assert source_read(film, inside).own == ()


def test_who_would_read_most_of_a_source_reads_all_of_it() -> None:
    film = source(head=1_000_000, tail=40_000_000)
    part = VideoPart(name="v0001", first_segment=0, first_frame=0, frames=9, span=(1_000_000, 22_000_000))
    assert source_read(film, part).own is None
    assert source_read(film, None).own is None
    assert source_read(film, part.model_copy(update={"span": None})).own is None
    assert source_read(source(), part).own is None


def test_what_is_missing_is_a_piece_that_cannot_be_read(tmp_path: Path) -> None:
    pieces = [
        ((0, 10), Path("/scratch/it's/head")),
        ((10, 15), Path("/scratch/own")),
        ((20, 30), Path("/scratch/b\\c")),
    ]
    made = with_holes(pieces, 100, tmp_path)
    assert (made.address, made.protocols, made.whole) == (f"concatf:{tmp_path}/pieces", "concatf,subfile,file", False)
    assert (tmp_path / "pieces").read_text().splitlines() == [
        r"file:/scratch/it\'s/head",
        "file:/scratch/own",
        f"subfile,,start,0,end,5,,:file:{tmp_path}",
        r"file:/scratch/b\\c",
        f"subfile,,start,0,end,70,,:file:{tmp_path}",
    ]

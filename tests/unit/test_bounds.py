"""Events have a size that no film exceeds: the server takes a megabyte, and they stay well below."""

from array import array
from fractions import Fraction

from services.fetcher.plan.bounds import LONGEST_TITLE, MOST_TEXT_TRACKS, MOST_WARNINGS, bounded, bounded_warnings
from services.fetcher.plan.plan import MAX_PARTS, make_plan
from services.fetcher.probe.index import VideoIndex
from shared.events import Fetched, PartTranscoded
from shared.media.profile import RESOLUTIONS
from shared.media.result import JobWarning, PartRecord, SegmentTable, digest_of
from shared.media.source import AudioTrack, Source, TextTrack, VideoTrack

ORG, JOB = "org123", "5KQfnXCg8Qh"
SERVER_TAKES = 1_000_000


def day_long(*, audio: int, text: int) -> tuple[Source, VideoIndex]:
    """24 hours at a frame a second, with the longest time stamps that there are."""
    begin, seconds = 2**52, 24 * 3600
    pts = array("q", range(begin, begin + seconds * 1_000_000, 1_000_000))
    video = VideoTrack(
        index=0, codec="hevc", pixel_format="yuv420p10le", width=3840, height=2160, time_base=Fraction(1, 1_000_000),
        start_pts=pts[0], end_pts=pts[-1] + 1_000_000, frames=len(pts), frame_rate=Fraction(1),
    )  # fmt: skip
    tracks = tuple(
        AudioTrack(
            index=number, codec="aac", channels=6, sample_rate=48_000, start=0.0, end=float(seconds),
            language="eng", title="A title that goes on and on. " * 40,
        )
        for number in range(1, audio + 1)
    )  # fmt: skip
    texts = tuple(TextTrack(index=number, codec="subrip", title="Signs " * 200) for number in range(100, 100 + text))
    source = Source(
        demuxer="matroska", file="source", bytes=2**40, duration=seconds, video=video, audio=tracks, text=texts
    )
    return source, VideoIndex(pts, pts[::2], ())


def test_a_day_of_film_with_two_thousand_tracks_is_planned_in_a_bounded_event() -> None:
    found, index = day_long(audio=60, text=2000)
    source, left_out = bounded(found)
    plan, warnings = make_plan(source, index, RESOLUTIONS, "balanced", window=8)
    assert len(plan.video) == MAX_PARTS
    event = Fetched(org=ORG, job=JOB, source=source, plan=plan, warnings=bounded_warnings(left_out + warnings))
    assert len(event.model_dump_json()) < SERVER_TAKES / 2
    assert [warning.code for warning in left_out] == ["subtitles_dropped"]
    assert "2000 subtitle tracks" in left_out[0].message
    assert len(plan.text) == MOST_TEXT_TRACKS
    assert {len(track.title or "") for track in source.audio} == {LONGEST_TITLE}
    assert {len(track.title or "") for track in source.text} == {LONGEST_TITLE}


def test_a_source_within_bounds_stays_as_it_is() -> None:
    source, _ = day_long(audio=0, text=0)
    assert bounded(source) == (source, ())


def test_very_many_warnings_become_a_few_that_say_so() -> None:
    many = [JobWarning(code="subtitles_dropped", message=f"Track {number}.") for number in range(2000)]
    kept = bounded_warnings([*many, many[0]])
    assert len(kept) == MOST_WARNINGS
    assert "1961 more" in kept[-1].message
    assert bounded_warnings(many[:3] * 2) == tuple(many[:3])


def test_six_hours_in_one_part_are_published_in_a_few_hundred_bytes_for_each_rendition() -> None:
    """A source that cannot be cut is one part, however long: its tables belong into a file."""
    segments = 6 * 3600 // 6
    tables = tuple(
        SegmentTable(
            folder=folder, timescale=90_000, first_segment=0, durations=(540_000,) * segments,
            sizes=(1_234_567,) * segments, frames=segments * 180, init=b"AAAA", codecs="avc1.64001f",
            iframes=(((24, 65_432, 180_000), (456_789, 65_432, 180_000), (912_345, 65_432, 180_000)),) * segments,
        )
        for folder in ("240p", "480p", "720p", "1080p")
    )  # fmt: skip
    record = PartRecord(tables=tables, encoder="libx264", seconds=3600)
    text = record.model_dump_json()
    assert len(text) > SERVER_TAKES
    event = PartTranscoded(
        org=ORG, job=JOB, part="v0000", renditions=record.totals, digest=digest_of(text), encoder="libx264", seconds=1
    )
    assert len(event.model_dump_json()) < 300 * (len(tables) + 1)
    assert event.renditions[0].segments == segments
    assert event.renditions[0].seconds == 6 * 3600

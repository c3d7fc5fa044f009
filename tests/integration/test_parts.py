"""Parts that are encoded apart join to what one single pass makes: every frame, every time stamp, the sound in step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.fetcher.plan import plan as planner
from services.transcoder.command import Tools
from shared.errors import PermanentError
from shared.events import Fetched
from shared.media.codecs.h264 import H264
from shared.media.plan import VideoPart
from shared.media.tools import ffmpeg_path
from shared.mp4.bmff import boxes, timescale_of
from shared.mp4.initialization import parameter_sets
from tests.support import clips, frames
from tests.support.clips import X264, numbered
from tests.support.parts import Encoded, encode, fetched

AAC_FRAME = 1024
SYNC = 0.020


@dataclass(frozen=True)
class Clip:
    """A clip, and what is special about it.

    Attributes:
        first: number of the source frame that is shown first.
        early: seconds by which the source's beeps come before its flashes.
        parts: into how many the plan cuts it.
    """

    make: Callable[[], Path]
    resolutions: tuple[str, ...] = ("144p",)
    first: int = 0
    early: float = 0
    parts: int = 3


CLIPS = {
    "24 fps, two rungs": Clip(lambda: numbered("24", size="426x240"), resolutions=("144p", "240p")),
    "25 fps, B-pyramid": Clip(clips.b_pyramid),
    "29.97 fps": Clip(lambda: numbered("30000/1001")),
    "50 fps": Clip(lambda: numbered("50")),
    "59.94 fps": Clip(lambda: numbered("60000/1001")),
    "120 fps": Clip(lambda: numbered("120")),
    "variable rate": Clip(clips.variable_rate),
    "open GOP": Clip(clips.open_gop),
    "one key frame in 20 s": Clip(clips.long_gop, parts=2),
    "one frame more than two segments": Clip(lambda: numbered("24", seconds=12.03), parts=2),
    "matroska, 23.976 fps": Clip(clips.matroska),
    "frames on the edge": Clip(clips.on_the_edge),
    "begins at 10 s": Clip(clips.begins_late),
    "begins inside a GOP": Clip(clips.begins_inside_a_gop, first=32),
    "transport stream": Clip(clips.transport_stream, parts=1),
    "sound longer": Clip(clips.sound_longer),
    "sound late": Clip(clips.sound_late),
    "sound early": Clip(clips.sound_early, early=1.25),
    "sound short": Clip(clips.sound_short),
    "no sound": Clip(clips.silent),
    "interlaced": Clip(clips.interlaced),
    "interlaced, bottom first": Clip(lambda: clips.interlaced(top_first=False)),
}


@dataclass(frozen=True)
class Case:
    """A clip encoded in parts and, by the same code, in one part."""

    clip: Clip
    event: Fetched
    parts: Encoded
    whole: Encoded

    @cached_property
    def joined(self) -> Path:
        """The smallest rendition, joined out of its parts."""
        return self.parts.join("144p")

    @cached_property
    def sound(self) -> Path:
        """The sound."""
        return self.parts.join(self.parts.plan.audio[0].folder)

    @cached_property
    def pictures(self) -> list[frames.Picture]:
        """The pictures of the smallest rendition."""
        return frames.pictures(self.joined)


@pytest.fixture(scope="module", params=list(CLIPS.values()), ids=list(CLIPS))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """Every clip in turn, encoded once for all tests of it."""
    clip: Clip = request.param
    file = clip.make()
    event, single = fetched(file, clip.resolutions), fetched(file, ("144p",), whole=True)
    root = tmp_path_factory.mktemp("space")
    yield Case(clip, event, encode(event, file, root / "parts"), encode(single, file, root / "whole"))


def test_every_frame_is_that_of_a_single_pass(case: Case) -> None:
    assert len(case.event.plan.video) == case.clip.parts
    whole = case.whole.join("144p")
    joined = [picture.number for picture in case.pictures]
    assert None not in joined
    assert joined == frames.numbers(whole)
    assert len(joined) == case.event.plan.frames
    # The same pictures, not just the same numbers: an independent encode of the same frame, never another frame.
    assert frames.psnr(case.joined, whole) > 28
    assert not case.parts.warnings


def test_the_frames_shown_are_those_of_the_source(case: Case) -> None:
    plan, source = case.event.plan, case.event.source.video
    shown = [picture.number for picture in case.pictures]
    assert shown[0] == case.clip.first
    if case.clip.make in (clips.variable_rate, clips.on_the_edge):
        assert all(early <= late for early, late in pairwise(number or 0 for number in shown))
        return
    fields = 2 if source.interlaced else 1
    start = round((source.start - plan.origin) * plan.frame_rate)
    step, last = source.frame_rate * fields / plan.frame_rate, source.frames * fields - 1
    assert shown == [case.clip.first + min(int(max(0, place - start) * step), last) for place in range(plan.frames)]


def test_packet_times_have_no_gap_and_no_overlap(case: Case) -> None:
    plan = case.event.plan
    for rung in plan.rungs:
        file = case.parts.join(rung.resolution)
        found = frames.packets(file)
        assert timescale_of(file.read_bytes()) == plan.timescale
        assert Fraction(plan.frame_ticks, plan.timescale) == 1 / plan.frame_rate
        assert sorted(packet.pts for packet in found) == [number * plan.frame_ticks for number in range(plan.frames)]
        assert {late.dts - early.dts for early, late in pairwise(found)} == {plan.frame_ticks}


def test_key_frames_and_segments_are_where_the_plan_says(case: Case) -> None:
    plan = case.event.plan
    for rung in plan.rungs:
        keys = [number for number, packet in enumerate(frames.packets(case.parts.join(rung.resolution))) if packet.key]
        assert keys == list(range(0, plan.frames, plan.gop_frames))
        durations = [ticks for _, track in case.parts.tracks(rung.resolution) for ticks in track.durations]
        assert durations == [(end - first) * plan.frame_ticks for first, end in plan.segment_spans]
        sizes = [size for _, track in case.parts.tracks(rung.resolution) for size in track.sizes]
        assert [segment.stat().st_size for segment in case.parts.segments(rung.resolution)] == sizes


def test_i_frame_ranges_hold_exactly_the_key_frames(case: Case) -> None:
    _, track = case.parts.tracks("144p")[0]
    segment = case.parts.segments("144p")[0].read_bytes()
    moofs = [box.start for box in boxes(segment) if box.kind == b"moof"]
    assert [offset for offset, _, _ in track.iframes[0]] == moofs
    keys = [packet.size for packet in frames.packets(case.joined) if packet.key]
    for (offset, length, _), size in zip(track.iframes[0], keys, strict=False):
        head = next(box for box in boxes(segment, offset) if box.kind == b"mdat").body - offset
        assert length == head + size


def test_headers_are_the_same_bytes_in_all_parts(case: Case) -> None:
    for rung in case.event.plan.rungs:
        assert len({track.init for _, track in case.parts.tracks(rung.resolution)}) == 1
        assert {track.codecs[:5] for _, track in case.parts.tracks(rung.resolution)} == {"avc1."}


def test_everything_decodes_without_a_complaint(case: Case) -> None:
    assert frames.complaints(case.joined) == ""
    if case.event.plan.audio:
        assert frames.complaints(case.sound) == ""


def test_sound_begins_at_zero_and_ends_with_the_picture(case: Case) -> None:
    plan = case.event.plan
    if not plan.audio:
        assert not case.parts.tracks("audio/0-und")
        return
    found = frames.packets(case.sound, "a:0")
    rate = plan.audio[0].sample_rate
    # The priming lies before zero.
    assert [packet.pts for packet in found] == [number * AAC_FRAME for number in range(-1, len(found) - 1)]
    assert 0 <= Fraction((len(found) - 1) * AAC_FRAME, rate) - plan.duration < Fraction(AAC_FRAME, rate)
    [(_, track)] = case.parts.tracks(plan.audio[0].folder)
    assert track.priming == AAC_FRAME
    ends = [Fraction(sum(track.durations[: number + 1]) - AAC_FRAME, rate) for number in range(plan.segments)]
    cuts = [end / plan.frame_rate for _, end in plan.segment_spans]
    assert all(abs(ours - its) <= Fraction(AAC_FRAME, rate) for ours, its in zip(ends, cuts, strict=True))


def test_sound_and_picture_stay_together(case: Case) -> None:
    plan = case.event.plan
    if not plan.audio:
        assert not case.event.source.audio
        return
    period = float(1 / plan.frame_rate)
    flashes, beeps = frames.flashes(case.pictures, period), frames.beeps(case.sound)
    # The first flash is skipped where the picture of time zero fills the time before it.
    early, origin, track = case.clip.early, float(plan.origin), case.event.source.audio[0]
    heard = [flash for flash in flashes[1:] if track.start < origin + flash - early < track.end - clips.PULSE_LASTS]
    near = clips.PULSE_EVERY / 4
    pairs = [(beep, flash) for flash in heard for beep in beeps if abs(beep + early - flash) < near]
    assert len(pairs) == len(heard) >= 3
    # A flash is seen with the first frame at or after its instant, on a grid that may lie half a frame off.
    slack = SYNC + (period / 2 if case.clip.make is clips.on_the_edge else 0)
    off = [beep + early - flash for beep, flash in pairs]
    assert all(abs(difference) <= slack for difference in off), off


@pytest.mark.parametrize("each", [1, 2, 3])
def test_the_length_of_parts_changes_nothing(each: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = numbered("24")
    alone = encode(fetched(file, whole=True), file, tmp_path / "alone")
    monkeypatch.setattr(planner, "segments_per_part", lambda *_: each)
    event = fetched(file)
    assert len(event.plan.video) == -(-3 // each)
    parts = encode(event, file, tmp_path / "parts")

    def durations(of: Encoded) -> list[int]:
        return [ticks for _, track in of.tracks("144p") for ticks in track.durations]

    assert durations(parts) == durations(alone)
    assert frames.numbers(parts.join("144p")) == frames.numbers(alone.join("144p")) == list(range(336))


def with_part(event: Fetched, name: str, **change: object) -> Fetched:
    """The event with one part of its plan changed."""
    parts: tuple[VideoPart, ...] = tuple(
        part.model_copy(update=change) if part.name == name else part for part in event.plan.video
    )
    return event.model_copy(update={"plan": event.plan.model_copy(update={"video": parts})})


def test_a_seek_that_lands_too_late_is_noticed_and_cured(tmp_path: Path) -> None:
    file = numbered("24", encoder=(*X264, "-g", "24"))
    wrong = with_part(fetched(file), "v0001", seek=8.0)
    with capture_logs() as logs:
        made = encode(wrong, file, tmp_path)
    assert [entry["event"] for entry in logs].count("inexact seek, decoding from the start") == 1
    assert frames.numbers(made.join("144p")) == list(range(336))
    assert not made.warnings


def test_a_picture_that_is_not_there_is_told_to_the_customer(tmp_path: Path) -> None:
    file = numbered("24")
    wrong = with_part(fetched(file), "v0001", shown_first=1)
    made = encode(wrong, file, tmp_path)
    assert made.warnings == {"source_damaged"}
    assert len(frames.numbers(made.join("144p"))) == 336


@pytest.mark.usefixtures("uncaged")
def test_a_part_that_only_decodes_rightly_from_the_start_is_read_from_the_start(tmp_path: Path) -> None:
    """As with 4:4:4 by an old x264: its pictures after a seek are garbage, and only ffmpeg's complaints tell."""
    script = tmp_path / "ffmpeg"
    complain = "echo '[vist#0:0/h264] [dec:h264] corrupt decoded frame' >&2"
    script.write_text(f'#!/bin/sh\ncase "$*" in *-ss*) {complain};; esac\nexec {ffmpeg_path()} "$@"\n')
    script.chmod(0o755)
    file = numbered("24")
    with capture_logs() as logs:
        made = encode(fetched(file), file, tmp_path / "space", tools=Tools(str(script)))
    assert [entry["event"] for entry in logs].count("inexact seek, decoding from the start") == 2
    assert not made.warnings
    assert frames.numbers(made.join("144p")) == list(range(336))


@pytest.mark.parametrize("frame", [0, 100, 144, 287, 320])
def test_damaged_pictures_are_told_to_the_customer_and_cost_no_frame(frame: int, tmp_path: Path) -> None:
    """Anywhere: at the start, inside a part, at a seam, before one, at the end. Nobody sees where the parts were."""
    file = clips.damaged(frame, frame + 5)
    made = encode(fetched(file), file, tmp_path / "parts")
    whole = encode(fetched(file, whole=True), file, tmp_path / "whole")
    assert made.warnings == whole.warnings == {"source_damaged"}
    # The part before a broken seam meets the damage as well, because decoders read ahead.
    assert 1 <= sum(1 for result in made.results.values() if result.warnings) <= 2
    shown = frames.numbers(made.join("144p"))
    assert len(shown) == 336
    assert shown == frames.numbers(whole.join("144p"))


def test_a_source_whose_pictures_stop_long_before_its_end_is_no_short_success(tmp_path: Path) -> None:
    file = clips.damaged(240, 336)
    with pytest.raises(PermanentError) as caught:
        encode(fetched(file), file, tmp_path)
    assert caught.value.code == "input_damaged"


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_pictures_are_upright_as_a_player_shows_the_source(rotation: int, mirrored: bool, tmp_path: Path) -> None:
    file = clips.turned(rotation, mirrored=mirrored)
    made = encode(fetched(file), file, tmp_path)
    # ffmpeg turns the source as its display matrix says, and ours if it still said so.
    assert frames.psnr(made.join("144p"), file) > 28


@pytest.mark.parametrize(
    ("aspect", "size"), [("4/3", "256x144"), ("64/45", "180x144"), ("8/9", "180x160"), ("1", "213x121")]
)
def test_pixels_are_square_and_sizes_even(aspect: str, size: str, tmp_path: Path) -> None:
    odd = "scale=iw:ih,format=yuv444p" if size == "213x121" else "null"
    file = numbered("24", seconds=2, size=size, picture=f"{odd},setsar={aspect}")
    event = fetched(file)
    made = encode(event, file, tmp_path)
    width, height = (int(side) for side in size.split("x"))
    [rung] = event.plan.rungs
    assert rung.width % 2 == rung.height % 2 == 0
    assert abs(rung.width / rung.height - width * float(Fraction(aspect)) / height) < 0.02
    assert frames.numbers(made.join("144p")) == list(range(48))
    assert frames.geometry(made.join("144p")) == (rung.width, rung.height, "1:1")


def test_parts_of_two_encoders_share_one_header(tmp_path: Path) -> None:
    """As when a GPU fails in the middle of a job and the CPU makes the rest: the ids of the parameter sets differ."""
    file = numbered("24")
    event = fetched(file)
    other = event.model_copy(
        update={"plan": event.plan.model_copy(update={"encoder_params": "sps-id=0:ref=3:weightp=0"})}
    )
    ours, theirs = encode(event, file, tmp_path / "ours"), encode(other, file, tmp_path / "theirs")
    mixed = {name: (theirs if name == "v0001" else ours) for name in ours.results}
    headers = [track.init for name, of in mixed.items() for track in of.results[name].tables if track.folder == "144p"]
    assert len(set(headers)) == 2
    assert [len(sets) for sets in parameter_sets(H264.merge_init_segments(headers))] == [2, 2]
    segments = [
        segment
        for name in ("v0000", "v0001", "v0002")
        for segment in mixed[name].segments("144p")
        if f"/{name}/" in str(segment)
    ]
    joined = tmp_path / "joined.mp4"
    joined.write_bytes(H264.merge_init_segments(headers) + b"".join(segment.read_bytes() for segment in segments))
    assert frames.complaints(joined) == ""
    assert frames.numbers(joined) == list(range(336))

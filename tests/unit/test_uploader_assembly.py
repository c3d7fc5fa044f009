"""Joining the parts: what comes out, and that nothing wrong gets through."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from services.uploader.manifest.assembly import Mismatch, assemble
from services.uploader.manifest.presentation import init_segments_of
from shared.media.codecs import table
from shared.media.codecs.h264 import H264
from shared.media.plan import Plan
from shared.media.result import SegmentTable
from tests.support.encoded import make_plan, make_result

PLAN = make_plan(frames=1000, languages=("en", "de"), texts=("en", None))
"""Forty seconds: seven segments in four parts."""


def results(plan: Plan = PLAN) -> dict[str, tuple[SegmentTable, ...]]:
    return {part: make_result(plan, part) for part in plan.release_order}


def test_parts_are_joined_in_the_order_of_time() -> None:
    shuffled = dict(reversed(results().items()))
    stream = assemble(PLAN, shuffled)
    assert [rendition.folder for rendition in stream.video] == ["240p", "480p"]
    low = stream.video[0]
    assert len(low.sizes) == PLAN.segments == 7
    assert low.sizes == tuple(300 + 7 * (number % 5) for number in range(7))
    assert low.durations == (150_000,) * 6 + (100_000,)
    assert low.seconds == stream.seconds == 40
    assert low.init_segment == b"init_segment of 240p"
    assert [sound.label for sound in stream.audio] == ["en", "de"]
    assert [text.label for text in stream.text] == ["en", "Subtitles"]
    assert stream.text[0].durations == low.durations


def test_renditions_are_sorted_by_size() -> None:
    plan = make_plan(resolutions=("720p", "240p", "480p"))
    assert [rendition.folder for rendition in assemble(plan, results(plan)).video] == ["240p", "480p", "720p"]


def test_objects_of_a_track() -> None:
    stream = assemble(PLAN, results())
    objects = stream.audio[0].objects()
    names = ("init.mp4", "dash_init.mp4", "audio_00000.m4s", "audio_00001.m4s")
    assert list(objects)[:4] == [f"audio/0-en/{name}" for name in names]
    assert objects["audio/0-en/init.mp4"] == len(stream.audio[0].init_segment)
    # An edit list of one entry in its box.
    assert objects["audio/0-en/dash_init.mp4"] == objects["audio/0-en/init.mp4"] - 36
    assert sum(objects.values()) == stream.audio[0].bytes
    text = stream.text[1].objects()
    assert list(text)[:2] == ["text/1-und/text_00000.vtt", "text/1-und/text_00001.vtt"]
    assert list(text)[7:] == ["text/1-und/text.vtt"]
    assert sum(text.values()) == stream.text[1].bytes


def test_captions_of_any_part_are_captions_of_all() -> None:
    given = results()
    change("v0000", "240p", captions=("SERVICE10", "CC1"))(given)
    change("v0001", "480p", captions=("CC3", "SERVICE2"))(given)
    stream = assemble(PLAN, given)
    assert {one.captions for one in stream.video} == {("CC1", "CC3", "SERVICE2", "SERVICE10")}
    assert assemble(PLAN, results()).captions == ()


def test_a_text_that_could_not_be_read_is_left_out() -> None:
    given = results() | {"t0": ()}
    assert [text.folder for text in assemble(PLAN, given).text] == ["text/1-und"]


@pytest.mark.parametrize(
    ("frames", "rate"),
    [
        (1, "25"),
        (5, "25"),
        (150, "25"),
        (151, "25"),
        (1234, "30000/1001"),
        (2000, "24000/1001"),
        (3601, "60"),
        (40, "1"),
    ],
)
def test_all_lengths_and_rates_pass(frames: int, rate: str) -> None:
    plan = make_plan(frames=frames, frame_rate=Fraction(rate))
    assert assemble(plan, results(plan)).seconds == plan.duration


def change(part: str, folder: str, **members: Any) -> Callable[[dict[str, tuple[SegmentTable, ...]]], None]:
    """Replaces members of one track of one part; a callable value gets the old one."""

    def apply(given: dict[str, tuple[SegmentTable, ...]]) -> None:
        tracks = []
        for track in given[part]:
            values = {key: value(getattr(track, key)) if callable(value) else value for key, value in members.items()}
            tracks.append(track.model_copy(update=values) if track.folder == folder else track)
        given[part] = tuple(tracks)

    return apply


def both(
    *changes: Callable[[dict[str, tuple[SegmentTable, ...]]], None],
) -> Callable[[dict[str, tuple[SegmentTable, ...]]], None]:
    def apply(given: dict[str, tuple[SegmentTable, ...]]) -> None:
        for one in changes:
            one(given)

    return apply


def test_parts_of_two_encoders_are_shown_as_their_merged_init_segment_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    given = results()
    change("v0001", "240p", codecs="avc1.4d0020")(given)
    monkeypatch.setattr(table, "VIDEO", (replace(H264, read_codecs=lambda _: "avc1.640020"),))
    shown = {one.folder: one.codecs for one in assemble(PLAN, given).video}
    assert shown["240p"] == "avc1.640020"
    assert shown["480p"] != "avc1.640020"


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda given: given.pop("v0002"), "480p: 0 tables in part v0002|240p: 0 tables in part v0002"),
        (lambda given: given.update(v0001=given["v0001"][:1]), "480p: 0 tables in part v0001"),
        (lambda given: given.update(a1=()), "audio/1-de: 0 tables in part a1"),
        (change("v0001", "480p", frames=299), "480p: 299 frames in part v0001 instead of 300"),
        (change("v0001", "480p", first_segment=3), "480p: part v0001 begins with segment 3"),
        (
            change("v0001", "480p", sizes=lambda old: old[:1], durations=lambda old: old[:1], iframes=()),
            "480p: segment 4 follows segment 2",
        ),
        (change("v0001", "480p", sizes=lambda old: old[:1]), "480p: 1 sizes for 2 segments"),
        (change("v0001", "480p", sizes=(0, 5)), "480p: an empty segment"),
        (change("v0001", "240p", codecs="avc1.4d0020"), "240p: codecs differ between parts"),
        (change("v0001", "240p", timescale=90_000), "240p: timescale differ between parts"),
        (change("v0001", "240p", durations=(140_000, 160_000), iframes=()), "240p: key frames of 5 segments out of 7"),
        (
            both(*(change(part, "240p", iframes=()) for part in ("v0000", "v0001", "v0002", "v0003")),
                 change("v0001", "240p", durations=(140_000, 160_000))),
            "240p: segments are not cut as planned",
        ),
        (
            both(*(change(part, "240p", iframes=()) for part in ("v0000", "v0001", "v0002", "v0003")),
                 change("v0003", "240p", durations=(99_000,))),
            "240p: 39.96 s instead of 40.0 s",
        ),
        (change("v0000", "240p", iframes=lambda old: (old[0][:2], old[1])), "240p: key frames do not cover segment 0"),
        (change("v0000", "240p", iframes=lambda old: (((290, 50, 150_000),), old[1])), "240p: a key frame outside of segment 0"),
        (change("v0001", "240p", init=b"another"), "240p: box .* does not fit"),
        (
            change("a0", "audio/0-en", durations=lambda old: old[:-1], sizes=lambda old: old[:-1]),
            "audio/0-en: .* s of audio for 40.000 s",
        ),
        (
            change("a0", "audio/0-en", durations=lambda old: (old[0] - 4096, old[1] + 4096, *old[2:])),
            "audio/0-en: cut at 5.909 s instead of 6.000 s",
        ),
        (change("t0", "text/0-en", whole=0), "text/0-en: no whole file"),
        (
            change("t0", "text/0-en", durations=lambda old: old[:-1], sizes=lambda old: old[:-1]),
            "text/0-en: boundaries differ from those of 240p",
        ),
        (change("a0", "audio/0-en", first_segment=1), "audio/0-en: segment 1 follows segment -1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    spoil: Callable[[dict[str, tuple[SegmentTable, ...]]], object], complaint: str
) -> None:
    given = results()
    spoil(given)
    with pytest.raises(Mismatch, match=complaint):
        assemble(PLAN, given)


def test_sound_alone_is_held_against_the_plan() -> None:
    plan = make_plan(resolutions=(), languages=("en", "de"))
    given = results(plan)
    stream = assemble(plan, given)
    assert (stream.video, [sound.label for sound in stream.audio]) == ((), ["en", "de"])
    [track] = given["a1"]
    swapped = (
        *track.durations[:1],
        track.durations[1] + 20 * 1024,
        track.durations[2] - 20 * 1024,
        *track.durations[3:],
    )
    wrong = {
        "instead of": {"durations": swapped},
        "s of audio for": {"durations": track.durations[:-1], "sizes": track.sizes[:-1]},
    }
    for words, update in wrong.items():
        with pytest.raises(Mismatch, match=words):
            assemble(plan, given | {"a1": (track.model_copy(update=update),)})


def test_audio_of_versions_that_left_the_priming_out_is_joined_as_it_was() -> None:
    given = results()
    [track] = given["a1"]
    durations = (track.durations[0] - 1024, *track.durations[1:])
    given["a1"] = (track.model_copy(update={"durations": durations, "init": b"old", "priming": 0}),)
    stream = assemble(PLAN, given)
    assert [sound.priming for sound in stream.audio] == [1024, 0]
    assert stream.audio[0].presented == stream.audio[1].presented == stream.audio[1].durations
    assert stream.audio[0].seconds == stream.audio[1].seconds
    assert list(init_segments_of(stream.audio[1])) == ["audio/1-de/init.mp4"]


@pytest.mark.parametrize("update", [{"priming": 300 * 1024}, {"priming": -1}, {"init": b"no box"}])
def test_priming_has_to_be_something_that_can_be_hidden(update: dict[str, Any]) -> None:
    given = results()
    change("a0", "audio/0-en", **update)(given)
    with pytest.raises(Mismatch, match=r"priming|box"):
        assemble(PLAN, given)

"""Two codecs at one resolution: two renditions that nothing confuses, from the ladder to the outputs."""

from array import array
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest

from services.fetcher.plan.plan import make_plan
from services.fetcher.probe.index import VideoIndex
from services.transcoder.command import Tools, video_command, video_graph
from services.uploader.manifest.assembly import assemble
from services.uploader.manifest.dash import manifest
from services.uploader.manifest.outputs import outputs_of
from services.uploader.manifest.playlists import multivariant_playlist
from services.uploader.manifest.presentation import Presentation
from shared.locations import parse_s3
from shared.media.codecs import table
from shared.media.plan import Plan
from shared.media.source import Source, VideoTrack
from shared.workspace.space import SourceInput
from tests.support import encoded
from tests.support.standin import BOTH, LEVEL, STANDIN

NAMES = {"mpd": "urn:mpeg:dash:schema:mpd:2011"}


@pytest.fixture(autouse=True)
def standin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has a second codec."""
    monkeypatch.setattr(table, "VIDEO", (*table.VIDEO, STANDIN))


def planned() -> tuple[Source, Plan]:
    pts = array("q", range(500))
    video = VideoTrack(
        index=0, codec="h264", pixel_format="yuv420p", width=1280, height=720, time_base=Fraction(1, 25), start_pts=0,
        end_pts=500, frames=500, frame_rate=Fraction(25),
    )  # fmt: skip
    source = Source(demuxer="mov", file="film", bytes=1, duration=20, video=video)
    return source, make_plan(source, VideoIndex(pts, pts[::50], ()), ("240p", "480p"), "fast", window=4, codecs=BOTH)[0]


def presentation() -> Presentation:
    plan = encoded.make_plan(frames=400, codecs=BOTH, texts=("de",), stills=True)
    stills = [still for part in plan.release_order for still in encoded.make_stills(plan, part)]
    return assemble(plan, {part: encoded.make_result(plan, part) for part in plan.release_order}, stills)


def test_each_resolution_is_planned_in_each_codec() -> None:
    rungs = planned()[1].rungs
    assert [(rung.name, rung.resolution, rung.codec) for rung in rungs] == [
        ("480p", "480p", "h264"),
        ("480p-standin", "480p", "standin"),
        ("240p", "240p", "h264"),
        ("240p-standin", "240p", "standin"),
    ]
    assert [rung.level for rung in rungs] == ["3.0", LEVEL, "2.1", LEVEL]


def test_each_has_a_label_a_file_and_the_arguments_of_its_codec() -> None:
    source, plan = planned()
    graph = video_graph(source, plan, plan.video[0])
    argv = video_command(Tools("ffmpeg"), source, SourceInput("film"), plan, plan.video[0], Path("out"))
    for rung in plan.rungs:
        assert graph.count(f"[{rung.name}]") == 1
        assert argv.count(f"[{rung.name}]") == argv.count(f"out/{rung.name}.mp4") == 1
        own = argv[argv.index(f"[{rung.name}]") : argv.index(f"out/{rung.name}.mp4")]
        assert ("main" in own) == (rung.codec == "standin")
        assert rung.level in own


def test_a_gpu_makes_what_it_can_and_the_cpu_the_rest() -> None:
    source, plan = planned()
    argv = video_command(Tools("ffmpeg", "h264_nvenc"), source, SourceInput("film"), plan, plan.video[0], Path("out"))
    encoders = [argv[at + 1] for at, word in enumerate(argv) if word == "-c:v"]
    assert encoders[:4] == ["h264_nvenc", "libx264", "h264_nvenc", "libx264"]


def test_folders_differ_and_outputs_tell_the_resolution() -> None:
    shown = outputs_of(presentation(), parse_s3("s3://films/one/?region=eu-west-1", is_prefix=True), 1).renditions
    assert [(one.resolution, one.playlist) for one in shown] == [
        ("240p", "s3://films/one/240p/video.m3u8"),
        ("240p", "s3://films/one/240p-standin/video.m3u8"),
        ("480p", "s3://films/one/480p/video.m3u8"),
        ("480p", "s3://films/one/480p-standin/video.m3u8"),
    ]
    assert len({one.codecs for one in shown}) == 4


def test_the_multivariant_playlist_tells_the_codec_of_each_variant() -> None:
    stream = presentation()
    lines = multivariant_playlist(stream).splitlines()
    for rendition in stream.video:
        tag = lines[lines.index(f"{rendition.folder}/video.m3u8") - 1]
        assert f'CODECS="{rendition.codecs},mp4a.40.2"' in tag
        assert f"RESOLUTION={rendition.width}x{rendition.height}" in tag


def test_players_of_dash_switch_within_a_codec_only() -> None:
    root = ElementTree.fromstring(manifest(presentation(), sheet_bytes=1))
    sets = root.findall(".//mpd:AdaptationSet", NAMES)
    ids = {one.get("id"): [each.get("id") for each in one.findall("mpd:Representation", NAMES)] for one in sets}
    assert ids == {
        "0": ["240p", "480p"],
        "1": ["240p-standin", "480p-standin"],
        "2": ["audio-2"],
        "3": ["text-3"],
        "4": ["tiles"],
    }

"""The main job, whole: in by HTTP, out as a stream that players play."""

import json
import shutil
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from services.api.contract.playback import Playback
from services.api.contract.timeline_models import TimelinePage
from shared.events import PartTranscoded
from shared.mp4.bmff import boxes
from tests.support.jobs import LONG_RESOLUTIONS, LONG_SECONDS, Api, Outcome, long_clip
from tests.support.observe import eventually, files_of, job_events
from tests.support.player import open_page, play, require_player
from tests.support.stack import RunningStack
from tests.support.stream import decode_complaints, download, get_text, packets, read_stream, seams


async def test_the_clip_was_cut_into_several_parts(by_http: Outcome, stack: RunningStack) -> None:
    events = await job_events(stack.env["NATS_URL"], stack.env["ORG_ID"], by_http.job["id"])
    assert len([event for event in events if isinstance(event, PartTranscoded)]) > 3


async def test_its_timeline_tells_who_has_done_what(by_http: Outcome, stack: RunningStack) -> None:
    status, shown = await Api(stack.env).call("GET", f"transcoding_jobs/{by_http.job['id']}/timeline/?page_size=100")
    assert status == 200
    assert TimelinePage.model_validate(shown)
    parts = shown["results"]
    assert shown["count"] == len(parts) > 3
    attempts = [shown["fetch"], shown["finish"], *(done for part in parts for done in (part["encode"], part["upload"]))]
    for attempt in attempts:
        assert attempt["worker"] and attempt["attempt"] >= 1
        assert attempt["began"] <= attempt["ended"]
    for part in parts:
        assert part["requested"] <= part["encode"]["began"] <= part["upload"]["ended"] <= shown["finish"]["ended"]
        assert part["encode"]["speed"] > 0
    # Without a gap, from the request to the end.
    stages = shown["stages"]
    assert [stage["ended"] for stage in stages[:-1]] == [stage["began"] for stage in stages[1:]]
    assert (stages[0]["began"], stages[-1]["ended"]) == (by_http.job["created"], by_http.job["end_time"])


def test_every_rendition_has_the_frames_of_one_single_pass(by_http: Outcome) -> None:
    expected = len(packets(long_clip()))
    for resolution in LONG_RESOLUTIONS:
        assert len(packets(by_http.files[resolution])) == expected


def test_no_gap_and_no_overlap_at_any_seam(by_http: Outcome) -> None:
    for name, file in by_http.files.items():
        found = packets(file)
        # Of sound, the priming lies before.
        begins = 0 if name in LONG_RESOLUTIONS else -1024 / 48_000
        assert min(packet.pts for packet in found) == pytest.approx(begins, abs=1e-6), name
        assert seams(found) == [], name


def test_sound_and_picture_cover_the_same_time(by_http: Outcome) -> None:
    ends = {name: max(packet.pts + packet.duration for packet in packets(file)) for name, file in by_http.files.items()}
    assert max(ends.values()) - min(ends.values()) < 1024 / 48000 + 1e-3, ends


def test_key_frames_stand_every_two_seconds_at_most_and_begin_each_segment(by_http: Outcome) -> None:
    for variant in by_http.stream.variants:
        resolution = variant.media.url.rpartition("/")[0].rpartition("/")[2]
        keys = sorted(packet.pts for packet in packets(by_http.files[resolution]) if packet.key)
        assert max(late - early for early, late in pairwise(keys)) <= 2.0 + 1e-6
        start = 0.0
        for seconds in variant.media.durations:
            assert any(abs(key - start) < 1e-3 for key in keys), (resolution, start)
            assert seconds <= 6.5
            start += seconds


def test_all_renditions_have_the_same_segment_boundaries(by_http: Outcome) -> None:
    lists = {variant.media.durations for variant in by_http.stream.variants}
    assert len(lists) == 1


def test_the_master_lists_every_rung_with_true_attributes(by_http: Outcome) -> None:
    outputs = {row["resolution"]: row for row in by_http.job["outputs"]["renditions"]}
    assert set(outputs) == set(LONG_RESOLUTIONS)
    assert "#EXT-X-INDEPENDENT-SEGMENTS" in by_http.stream.text
    for resolution in LONG_RESOLUTIONS:
        variant = by_http.stream.variant(resolution)
        shown = variant.attributes
        row = outputs[resolution]
        assert shown["RESOLUTION"] == f"{row['width']}x{row['height']}"
        assert shown["CODECS"].startswith("avc1.64") and shown["CODECS"].endswith("mp4a.40.2")
        assert float(shown["FRAME-RATE"]) == pytest.approx(float(Fraction(30000, 1001)), abs=1e-3)
        assert shown["AUDIO"] == by_http.stream.audio[0].attributes["GROUP-ID"]
        peak, average = _measured(by_http.files[resolution], variant.media.durations, by_http)
        assert int(shown["BANDWIDTH"]) == pytest.approx(peak, rel=0.1)
        assert int(shown["AVERAGE-BANDWIDTH"]) == pytest.approx(average, rel=0.1)


def test_ffmpeg_decodes_each_rendition_without_a_warning(by_http: Outcome) -> None:
    for name, file in by_http.files.items():
        assert decode_complaints(file) == "", name


async def test_hls_js_plays_it_to_the_end(by_http: Outcome, tmp_path: Path) -> None:
    require_player()
    report = await play("hls", by_http.stream.url, tmp_path / "hls.png")
    # A stall is the machine's, which decodes at four times the speed while it encodes; anything else would be ours.
    assert report["fatal"] is None and set(report["errors"]) <= {"bufferStalledError"}, report
    assert report["ended"] and report["currentTime"] > 40
    assert report["gaps"] == 0 and len(report["levels"]) == len(LONG_RESOLUTIONS)
    assert (tmp_path / "hls.png").stat().st_size > 10_000


PAGE = Path(__file__).resolve().parents[2] / "deploy/player/index.html"


def _host_page(stack: RunningStack, bucket: str) -> None:
    page = stack.state_dir / "s3" / bucket / "page.html"
    shutil.copy(PAGE, page)
    # As all that lies in a stack's folder: other tests look that nothing there is open to others.
    page.chmod(0o600)


async def test_the_page_of_compose_plays_it_to_the_end(stack: RunningStack, by_http: Outcome, tmp_path: Path) -> None:
    host, bucket = stack.env["PLAYBACK_URL"], stack.env["S3_BUCKET"]
    _host_page(stack, bucket)
    playlist = by_http.job["outputs"]["master"].removeprefix("s3://")
    report = await open_page(f"{host}/{bucket}/page.html?/{playlist}", tmp_path / "page.png")
    assert report["ended"], report
    assert report["duration"] == pytest.approx(LONG_SECONDS, abs=0.1)
    # The window is 720 pixels high: the largest rendition fits.
    assert report["videoHeight"] == 480
    assert all(address.startswith(f"{host}/") for address in report["requests"])


async def test_the_page_of_compose_says_what_is_wrong(stack: RunningStack, tmp_path: Path) -> None:
    host, bucket = stack.env["PLAYBACK_URL"], stack.env["S3_BUCKET"]
    _host_page(stack, bucket)
    report = await open_page(f"{host}/{bucket}/page.html?/{bucket}/none.m3u8", tmp_path / "page.png", until="404")
    assert f"{host}/{bucket}/none.m3u8: 404 Not Found" in report["text"]


async def test_dash_js_plays_it_to_the_end(by_http: Outcome, tmp_path: Path) -> None:
    require_player()
    url = by_http.stream.url.removesuffix("m3u8") + "mpd"
    report = await play("dash", url, tmp_path / "dash.png")
    assert report["fatal"] is None, report
    assert report["ended"] and report["currentTime"] > 40


async def _playback(stack: RunningStack, outcome: Outcome) -> Playback:
    status, shown = await Api(stack.env).call("GET", f"transcoding_jobs/{outcome.job['id']}/playback/")
    assert status == 200, shown
    return Playback.model_validate_json(json.dumps(shown))


async def test_out_of_the_private_bucket_comes_the_same(stack: RunningStack, by_http: Outcome, tmp_path: Path) -> None:
    found = await _playback(stack, by_http)
    async with aiohttp.ClientSession() as http:
        stream = await read_stream(http, found.hls)
        assert len(stream.variants) == len(LONG_RESOLUTIONS)
        for variant in (*stream.variants, *stream.audio):
            file = await download(http, variant.media, tmp_path)
            assert file.read_bytes() == by_http.files[file.stem].read_bytes()
        for variant in stream.iframes:
            assert variant.media.segments
        # What lies there is private without a signature.
        async with http.get(stream.variants[0].media.segments[0][0].partition("?")[0]) as response:
            assert response.status in (400, 403)
        assert found.sprite
        cues = await get_text(http, found.sprite)
        [picture] = {line.partition("#")[0] for line in cues.splitlines() if "#xywh=" in line}
        async with http.get(picture) as response:
            assert (response.status, response.content_type) == (200, "image/jpeg")


async def test_dash_js_plays_it_out_of_the_private_bucket(
    stack: RunningStack, by_http: Outcome, tmp_path: Path
) -> None:
    require_player()
    found = await _playback(stack, by_http)
    assert found.dash
    report = await play("dash", found.dash, tmp_path / "private.png", speed=8)
    assert report["fatal"] is None, report
    assert report["ended"] and report["currentTime"] > 40


def test_the_job_says_what_was_asked_and_what_came_out(by_http: Outcome) -> None:
    job = by_http.job
    assert job["status"] == "Completed" and job["stage"] == "done" and job["progress"] == 100
    assert job["video_duration"] == LONG_SECONDS and job["error_message"] is None
    assert job["client_metadata"] == {"b": 1, "a": [1.5, "é"]}
    assert "<access_key>" in job["output_path"] and job["start_time"] < job["end_time"]


async def test_nothing_is_left_in_the_work_space(by_http: Outcome, stack: RunningStack) -> None:
    org, job = stack.env["ORG_ID"], by_http.job["id"]
    await eventually(lambda: files_of(stack.layout.state, org, job) == [], "the work space is empty")


def _measured(video: Path, durations: tuple[float, ...], outcome: Outcome) -> tuple[float, float]:
    """Peak over the segments and average, in bits per second, of a rendition together with the sound."""
    sound = outcome.stream.audio[0].media
    audio = outcome.files[sound.url.rpartition("/")[0].rpartition("/")[2]]
    average = (video.stat().st_size + audio.stat().st_size) * 8 / sum(durations)
    return _peak(video, durations) + _peak(audio, sound.durations), average


def _peak(file: Path, durations: tuple[float, ...]) -> float:
    """Largest rate of a segment, by what its packets weigh in the file."""
    data, sizes, current = file.read_bytes(), [], 0
    for box in boxes(data):
        if box.kind == b"styp":
            sizes.append(current)
            current = 0
        current += box.end - box.start
    sizes = [*sizes[1:], current]
    assert len(sizes) == len(durations)
    # A short last segment says little about the rate: Apple measures over at least half a target duration.
    return max(size * 8 / seconds for size, seconds in zip(sizes, durations, strict=True) if seconds > 3)

"""Paths, content types and locations below the output prefix."""

import pytest

from services.uploader.finish import init_segments, playlists
from services.uploader.manifest.assembly import assemble
from services.uploader.manifest.outputs import outputs_of
from services.uploader.upload import UploadObject, objects_of
from shared.locations import object_key, parse_s3
from shared.media.layout import content_type, segment_name
from shared.media.result import PartRecord
from tests.support.encoded import make_plan, make_result

ORG, JOB = "org123", "5KQfnXCg8Qh"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("video.m3u8", "application/vnd.apple.mpegurl"),
        ("480p/video.m3u8", "application/vnd.apple.mpegurl"),
        ("audio/0-en/audio.m3u8", "application/vnd.apple.mpegurl"),
        ("video.mpd", "application/dash+xml"),
        ("480p/init.mp4", "video/mp4"),
        ("480p/video_00000.m4s", "video/mp4"),
        ("audio/0-en/init.mp4", "audio/mp4"),
        ("audio/0-en/audio_00000.m4s", "audio/mp4"),
        ("thumbnails/thumbnail_1.jpg", "image/jpeg"),
        ("sprite/sprite.vtt", "text/vtt"),
        ("text/0-en/text.m3u8", "application/vnd.apple.mpegurl"),
        ("text/0-en/text_00000.vtt", "text/vtt"),
    ],
)
def test_content_types(path: str, kind: str) -> None:
    assert content_type(path) == kind


def test_nothing_is_uploaded_without_a_type() -> None:
    with pytest.raises(KeyError):
        content_type("480p/record.json")


def test_segment_numbers_have_five_digits_or_more() -> None:
    assert segment_name("video", 7) == "video_00007.m4s"
    assert segment_name("audio", 123_456) == "audio_123456.m4s"
    assert segment_name("text", 3) == "text_00003.vtt"


@pytest.mark.parametrize(("path", "key"), [("s3://bucket/", "video.m3u8"), ("s3://bucket/a/b/", "a/b/video.m3u8")])
def test_keys_lie_below_the_prefix(path: str, key: str) -> None:
    assert object_key(parse_s3(path, is_prefix=True), "video.m3u8") == key


def test_a_part_is_uploaded_whole() -> None:
    plan = make_plan(frames=1000, texts=("en",))

    def objects(part: str) -> list[UploadObject]:
        return objects_of(PartRecord(tables=make_result(plan, part), encoder="x", seconds=1))

    assert [item.path for item in objects("v0001")] == [
        "240p/video_00002.m4s", "240p/video_00003.m4s", "480p/video_00002.m4s", "480p/video_00003.m4s",
    ]  # fmt: skip
    assert objects("a0")[0].path == "audio/0-en/audio_00000.m4s"
    assert [item.path for item in objects("t0")][-2:] == ["text/0-en/text_00006.vtt", "text/0-en/text.vtt"]
    assert objects("t0")[-1].size == 90


def test_outputs_say_where_everything_is_and_no_secret() -> None:
    plan = make_plan(frames=400, texts=("de",))
    stream = assemble(plan, {part: make_result(plan, part) for part in plan.release_order})
    location = parse_s3("s3://films/one/?access_key=AKXX&secret_key=sEcReT&region=eu-west-1", is_prefix=True)
    outputs = outputs_of(stream, location, 12_345)
    assert (outputs.master, outputs.dash) == ("s3://films/one/video.m3u8", "s3://films/one/video.mpd")
    assert outputs.renditions[1].model_dump() == {
        "resolution": "480p", "width": 854, "height": 480, "frame_rate": 25.0, "average_bitrate": 911, "peak_bitrate": 1228,
        "codecs": "avc1.640014", "bytes": len("init_segment of 480p") + 600 + 607 + 614, "playlist": "s3://films/one/480p/video.m3u8",
    }  # fmt: skip
    assert outputs.audio[0].playlist == "s3://films/one/audio/0-en/audio.m3u8"
    assert [one.model_dump() for one in outputs.subtitles] == [
        {"name": "de", "language": "de", "forced": False, "bytes": 60 + 61 + 62 + 90, "playlist": "s3://films/one/text/0-de/text.m3u8"}
    ]  # fmt: skip
    assert (outputs.bytes, outputs.segments) == (12_345, 12)
    assert "AKXX" not in outputs.model_dump_json()
    assert "sEcReT" not in outputs.model_dump_json()


def test_every_playlist_leads_to_uploaded_objects_only() -> None:
    plan = make_plan(frames=1000, languages=("en", "de"), texts=("fr",))
    stream = assemble(plan, {part: make_result(plan, part) for part in plan.release_order})
    uploaded = {path for track in stream.all_renditions for path in track.objects()}
    assert set(init_segments(stream)) <= uploaded
    documents = playlists(stream)
    assert set(documents) == {
        "240p/video.m3u8", "240p/iframes.m3u8", "480p/video.m3u8", "480p/iframes.m3u8",
        "audio/0-en/audio.m3u8", "audio/1-de/audio.m3u8", "text/0-fr/text.m3u8", "video.mpd",
    }  # fmt: skip
    for path, body in documents.items():
        folder, _, name = path.rpartition("/")
        if name.endswith(".m3u8"):
            assert {f"{folder}/{line}" for line in body.decode().splitlines() if not line.startswith("#")} <= uploaded

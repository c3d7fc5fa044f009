"""The checker: nothing is found in a right presentation, and each planted fault by the rule that is there for it."""

import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from checker.__main__ import main
from checker.judging import encryption
from checker.playlist import NotAPlaylist
from checker.reading import read_presentation
from checker.rules import RULES, apply_rules
from checker.source import Unreadable
from services.uploader.compliance import check_compliance, check_presentation, not_compliant
from tests.support.planted import BOX_FAULTS
from tests.support.written import Picture, TextFault, Written, violated, write_presentation

RIGHT = write_presentation()


async def test_nothing_is_found_in_a_right_presentation() -> None:
    assert await violated(RIGHT.files) == set()
    report = check_presentation(RIGHT.presentation, RIGHT.documents)
    assert report.violated == ()
    assert {one.rule.id for one in report.outcomes if one.skipped} == {
        "apple-7.3", "rfc8216bis-3.1.4", "millrace-text-cues", "millrace-text-whole", "millrace-captions",
        "cmaf-header", "cmaf-segments", "cmaf-sample-maps", "cmaf-alternate-group", "mp4-es-id", "mp4-audio-preroll",
    }  # fmt: skip


def also(*rules: str) -> frozenset[str]:
    return frozenset(rules)


TOP, LOW, TRICK, MPD = "video.m3u8", "240p/video.m3u8", "240p/iframes.m3u8", "video.mpd"
# What is said twice differs then, and what is not played any more has no rate.
RATES, NAMED, NO_AUDIO = (
    also("millrace-bandwidth"),
    also("dash-renditions"),
    also("millrace-codecs", "millrace-bandwidth"),
)
TEXT_FAULTS = [
    TextFault("apple-8.20", LOW, r"#EXT-X-MAP.*\n", also=also("dash-tracks")),
    TextFault("millrace-same-initialization", TRICK, r'URI="init', 'URI="../480p/init'),
    TextFault("rfc8216bis-8", LOW, "VERSION:7", "VERSION:3"),
    TextFault("millrace-ended", LOW, "#EXT-X-ENDLIST"),
    TextFault("apple-8.6", LOW, "#EXT-X-PLAYLIST-TYPE:VOD"),
    TextFault("millrace-once", "text/fr/text.m3u8", "_00001", "_00000"),
    TextFault("millrace-media-sequence", LOW, "SEQUENCE:0", "SEQUENCE:1"),
    TextFault("apple-9.12", TOP, "#EXT-X-INDEPENDENT-SEGMENTS"),
    TextFault("apple-6.1", TOP, "#EXT-X-I-FRAME-STREAM-INF.*"),
    TextFault("apple-6.8", TRICK, "#EXT-X-I-FRAMES-ONLY"),
    TextFault("apple-9.1", TOP, r'(STREAM-INF:BAND.*),CODECS="[^"]*"(.*AUDIO=)', r"\1\2"),
    TextFault("apple-9.2", TOP, r"RESOLUTION=\w+,(FRAME)", r"\1"),
    TextFault("apple-9.3", TOP, r'CODECS="avc1[^",]*",', ""),
    TextFault("apple-9.4", TOP, r"RESOLUTION=\w+,(VIDEO)", r"\1"),
    TextFault("rfc8216bis-4.4.6.2", TOP, r":BANDWIDTH=\d+,", ":"),
    TextFault("apple-9.14", TOP, r"AVERAGE-BANDWIDTH=\d+,"),
    TextFault("apple-9.15", TOP, r"FRAME-RATE=[^,]*,"),
    TextFault("apple-8.10", TOP, 'LANGUAGE="de",', also=NAMED),
    TextFault("apple-8.10", TOP, 'LANGUAGE="fr",', also=NAMED),
    TextFault("apple-9.5", TOP, ',AUDIO="audio"', "", NO_AUDIO),
    TextFault("millrace-group", TOP, ',AUDIO="audio"', ',AUDIO="other"', NO_AUDIO),
    TextFault("millrace-group", TOP, ',SUBTITLES="text"', ',SUBTITLES="texts"', RATES),
    TextFault("millrace-group", TOP, ',SUBTITLES="text"', also=RATES),
    TextFault("millrace-group", TOP, '="cc"\n', "=NONE\n", also("millrace-captions")),
    TextFault("rfc8216bis-4.4.6.1.1", TOP, 'NAME="DE"', 'NAME="EN"', NAMED),
    TextFault("millrace-default", TOP, "DEFAULT=YES", "DEFAULT=NO", NAMED),
    TextFault("millrace-default", TOP, r"NAME=\"FR\"(.*)DEFAULT=NO", r'NAME="FR"\1DEFAULT=YES', NAMED),
    TextFault("rfc8216bis-4.1", LOW, "#EXT-X-ENDLIST", "#EXT-X-ENDLIST\n#EXT-X-ENDLIST"),
    TextFault("rfc8216bis-4.1", LOW, "#EXT-X-ENDLIST", "#EXT-X-ENDLIST\n#EXT-X-END"),
    TextFault("rfc8216bis-4.1", TOP, "SEGMENTS", "SEGMENTS\n#EXT-X-TARGETDURATION:6"),
    TextFault("rfc8216bis-4.1", LOW, "#EXT-X-ENDLIST", "#EXT-X-ENDLIST:1"),
    TextFault("rfc8216bis-4.2", TOP, r",BANDWIDTH=(\d+)|:BANDWIDTH=(\d+)", r':BANDWIDTH="\2"'),
    TextFault("rfc8216bis-4.2", TOP, "VIDEO-RANGE=SDR", "VIDEO-RANGE=SDR,VIDEO-RANGE=SDR"),
    TextFault("rfc8216bis-4.2", TOP, "FORCED=NO", "FORCED=NO ", NAMED | RATES | also("rfc8216bis-4.4.6.1")),
    TextFault("rfc8216bis-4.2", TOP, "FORCED=NO", "FORCED=0"),
    TextFault("apple-1.26", TOP, r"AVERAGE-BANDWIDTH=(\d+)", r"AVERAGE-BANDWIDTH=\g<1>0", RATES),
    TextFault("apple-1.27", TOP, r":BANDWIDTH=(\d+)", r":BANDWIDTH=\g<1>0", RATES),
    TextFault("millrace-bandwidth", TOP, r":BANDWIDTH=(\d+)\d,", r":BANDWIDTH=\g<1>5,"),
    TextFault("millrace-codecs", TOP, "avc1.64001e,", "avc1.640028,"),
    TextFault("millrace-resolution", TOP, "=426x240", "=428x240"),
    TextFault("millrace-frame-rate", TOP, "RATE=25.000", "RATE=25.001"),
    TextFault("millrace-channels", TOP, 'CHANNELS="2"', 'CHANNELS="6"'),
    TextFault("apple-8.1", LOW, "EXTINF:6.000000", "EXTINF:5.990000", also("millrace-extinf")),
    TextFault("millrace-extinf", LOW, "EXTINF:6.000000", "EXTINF:5.999999"),
    TextFault("millrace-extinf", "text/fr/text.m3u8", "EXTINF:4.000000", "EXTINF:3.999999"),
    TextFault("rfc8216bis-4.4.3.1", TRICK, "DURATION:2", "DURATION:1", RATES),
    TextFault("millrace-target", TRICK, "DURATION:2", "DURATION:3"),
    TextFault("apple-8.2", "audio/en/audio.m3u8", "DURATION:6", "DURATION:7", also("apple-7.5", "dash-durations", "millrace-target")),
    TextFault("apple-7.7", LOW, "DURATION:6", "DURATION:5", also("apple-7.5", "apple-8.2", "rfc8216bis-4.4.3.1")),
    TextFault("apple-6.10", TRICK, r"@32\b", "@40", also("millrace-iframes")),
    TextFault("millrace-iframes", TRICK, r"BYTERANGE:(\d+)@32\b", r"BYTERANGE:\g<1>0@32"),
    TextFault("millrace-iframes", TRICK, r"EXTINF:2.000000", r"EXTINF:2.000001"),
    TextFault("millrace-iframes", TRICK, r"(#EXTINF.*\n#EXT-X-BYTERANGE.*\n.*\n)#EXT-X-ENDLIST", "#EXT-X-ENDLIST", also("apple-8.7")),
    TextFault("rfc8216bis-4.4.6.1", TOP, ',INSTREAM-ID="CC1"', ',INSTREAM="CC1"', also("millrace-captions", "dash-captions")),
    TextFault("millrace-captions", TOP, 'INSTREAM-ID="CC1"', 'INSTREAM-ID="CC2"', also("dash-captions")),
    TextFault("apple-8.7", "text/fr/text.m3u8", "4.000000,", "3.900000,", also("millrace-text-boundaries", "millrace-extinf")),
    TextFault("millrace-text-boundaries", "text/fr/text.m3u8", "4.000000,", "3.990000,", also("millrace-extinf")),
    TextFault("millrace-text-boundaries", "text/fr/text.m3u8", "DURATION:6", "DURATION:7", also("millrace-target")),
    TextFault("millrace-text-boundaries", "text/fr/text.m3u8", "#EXTINF:4.*\n.*\n", "", also("apple-8.7")),
    TextFault("rfc8216bis-3.1.4", "text/fr/text_00000.vtt", "WEBVTT", "1"),
    TextFault("rfc8216bis-3.1.4", "text/en/text_00001.vtt", "X-TIMESTAMP-MAP", "TIMESTAMP", RATES),
    TextFault("millrace-text-cues", "text/en/text_00001.vtt", "MPEGTS:0", "MPEGTS:90000000", RATES | also("millrace-text-whole")),
    TextFault("millrace-text-cues", "text/en/text_00000.vtt", "00:02.000", "00:01.000", also("millrace-text-whole")),
    TextFault("millrace-text-cues", "text/en/text_00000.vtt", "00:01.000 --> 00:02.000", "00:07.000 --> 00:08.000", also("millrace-text-whole")),
    TextFault("millrace-text-whole", "text/en/text_00000.vtt", "x 1", "x 2"),
    TextFault("millrace-text-whole", "text/en/text_00001.vtt", "MPEGTS:0", "MPEGTS:1"),
    TextFault("millrace-text-whole", "text/en/text.vtt", "00:02.000", "00:02.001"),
    TextFault("millrace-text-whole", "text/en/text.vtt", "WEBVTT", "WEBTXT"),
    TextFault("dash-mpd", MPD, 'type="static"', 'type="dynamic"'),
    TextFault("dash-mpd", MPD, "isoff-live:2011", "isoff-live:2014"),
    TextFault("dash-mpd", MPD, 'start="PT0S"', 'start="PT1S"'),
    TextFault("dash-mpd", MPD, 'id="audio-2"', 'id="audio-1"'),
    TextFault("dash-mpd", MPD, '<AdaptationSet id="2"', '<AdaptationSet id="1"'),
    TextFault("dash-tracks", MPD, "audio/de/dash_init.mp4", "audio/en/dash_init.mp4", also("dash-segments", "dash-renditions")),
    TextFault("dash-tracks", MPD, '<Representation id="240p".*/>'),
    TextFault("dash-tracks", MPD, 'mimeType="audio/mp4"', 'mimeType="video/mp4"'),
    TextFault("dash-initialization", MPD, 'Offset="1024"', 'Offset="1023"'),
    TextFault("dash-initialization", MPD, 'presentationTimeOffset="1024" '),
    TextFault("dash-segments", MPD, 'startNumber="0"', 'startNumber="1"'),
    TextFault("dash-segments", MPD, 't="150000"', 't="150001"'),
    TextFault("dash-segments", MPD, 'd="150000" />', 'd="150000" r="1" />'),
    TextFault("dash-segments", MPD, 'd="150000" />', 'd="150000" r="99999999" />'),
    TextFault("dash-segments", MPD, "%05d", "%06d"),
    TextFault("dash-durations", MPD, 'mediaPresentationDuration="PT10S"', 'mediaPresentationDuration="PT10.000001S"'),
    TextFault("dash-durations", MPD, 'mediaPresentationDuration="PT10S"', 'mediaPresentationDuration="10"'),
    TextFault("dash-durations", MPD, 'maxSegmentDuration="PT12S"', 'maxSegmentDuration="PT6S"'),
    TextFault("dash-durations", MPD, ' minBufferTime="PT6S"'),
    TextFault("dash-switching", MPD, 'startWithSAP="1"', 'startWithSAP="2"'),
    TextFault("dash-switching", MPD, ' segmentAlignment="true"'),
    TextFault("dash-bandwidth", MPD, r'id="480p" bandwidth="(\d+)\d"', r'id="480p" bandwidth="\g<1>9"'),
    TextFault("dash-bandwidth", MPD, r'id="text-3" bandwidth="56"', 'id="text-3" bandwidth="58"'),
    TextFault("dash-codecs", MPD, "avc1.64001e", "avc1.64001f"),
    TextFault("dash-sizes", MPD, ' height="240"', ' height="242"'),
    TextFault("dash-sizes", MPD, ' frameRate="25"', ' frameRate="26"'),
    TextFault("dash-sizes", MPD, 'sar="1:1"', 'sar="1:2"'),
    TextFault("dash-sizes", MPD, 'maxWidth="854"', 'maxWidth="852"'),
    TextFault("dash-audio", MPD, 'audioSamplingRate="48000"', 'audioSamplingRate="44100"'),
    TextFault("dash-audio", MPD, r'(cicp:ChannelConfiguration" value)="2"', r'\1="6"'),
    TextFault("dash-renditions", MPD, 'value="main"', 'value="alternate"'),
    TextFault("dash-renditions", MPD, 'lang="fr"', 'lang="it"'),
    TextFault("dash-renditions", MPD, "<Label>DE", "<Label>EN"),
    TextFault("dash-renditions", MPD, 'mimeType="text/vtt"', 'mimeType="text/plain"'),
    TextFault("dash-renditions", MPD, "role:2011", "role:2012"),
    TextFault("dash-captions", MPD, "CC1=und", "CC2=und"),
    TextFault("dash-tiles", MPD, 'duration="12"', 'duration="13"', also("dash-durations", "millrace-sprite")),
    TextFault("millrace-sprite", MPD, 'value="3x2"', 'value="3x3"'),
    TextFault("dash-tiles", MPD, 'value="3x2"', 'value="5x2"', also("millrace-sprite")),
    TextFault("dash-tiles", MPD, ' width="96"', ' width="97"'),
    TextFault("dash-tiles", MPD, 'mimeType="image/jpeg"', 'mimeType="image/png"'),
    TextFault("millrace-sprite", "sprite/sprite.vtt", "00:04.000", "00:04.001"),
    TextFault("millrace-sprite", "sprite/sprite.vtt", "xywh=32,0", "xywh=31,0"),
    TextFault("millrace-sprite", "sprite/sprite.vtt", "sprite_image.jpg", "sprite_image.png"),
    TextFault("millrace-sprite", "sprite/sprite.vtt", "\n\n[^\n]*\n[^\n]*\n$", "\n"),
    TextFault("millrace-sprite", "sprite/sprite.vtt", "WEBVTT", "WEBTXT"),
]  # fmt: skip


@pytest.mark.parametrize("fault", TEXT_FAULTS, ids=lambda fault: f"{fault.rule}-{fault.pattern[:30]}")
async def test_fault_in_a_document(fault: TextFault) -> None:
    assert await violated(fault.planted(RIGHT.files)) == {fault.rule} | fault.also


PICTURE_FAULTS: list[tuple[str, Picture, set[str]]] = [
    ("apple-1.3", Picture(level=60), set()),
    ("apple-1.14", Picture(frames_only=False), set()),
    ("apple-1.19", Picture(frame_ticks=250, gop=200, segments=(600, 400), sample=(100, 100)), set()),
    ("millrace-colour", Picture(colour=(9, 16, 9)), set()),
    ("millrace-square", Picture(aspect=14), {"dash-sizes"}),
    ("apple-1.30", Picture(sample=(40, 4000)), set()),
    ("apple-1.13", Picture(gop=75), set()),
    ("apple-7.3", Picture(late=1000), {"apple-1.13", "dash-segments", "millrace-bandwidth", "millrace-iframes"}),
    ("apple-7.4", Picture(first_nal=1), {"apple-1.13", "apple-1.26", "apple-6.10", "millrace-bandwidth", "millrace-iframes"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "low", "others"), PICTURE_FAULTS, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_fault_in_the_picture(rule: str, low: Picture, others: set[str]) -> None:
    assert await violated(write_presentation(low).files) == {rule} | others


WIDE = Picture(width=854, height=480)
TRACK_FAULTS: list[tuple[str, Written]] = [
    ("apple-1.33", write_presentation(high=Picture(width=480, height=480))),
    ("apple-8.22", write_presentation(Picture(segments=(100, 150)), WIDE)),
    ("apple-8.7", write_presentation(cuts=(281, 180))),
    ("millrace-audio-boundaries", write_presentation(cuts=(240, 229))),
    ("apple-7.5", write_presentation(Picture(segments=(100, 100)), cuts=(188, 187))),
]


@pytest.mark.parametrize(("rule", "written"), TRACK_FAULTS, ids=lambda value: value if isinstance(value, str) else "")
async def test_fault_between_tracks(rule: str, written: Written) -> None:
    # The manifest has one template for all video, so it cannot be right where that is cut at several places.
    assert await violated(written.files) - {"dash-segments"} == {rule}


@pytest.mark.parametrize(("rule", "path", "old", "new"), BOX_FAULTS)
async def test_fault_in_a_box(rule: str, path: str, old: bytes, new: bytes) -> None:
    changed = re.sub(old, new, RIGHT.files[path], count=1, flags=re.DOTALL)
    found = await violated({**RIGHT.files, path: changed})
    # The manifest has another one for audio, which is the same but for the edit list.
    other = {"dash-initialization"} if path == "audio/en/init.mp4" else set()
    assert changed != RIGHT.files[path] and rule in found <= {rule} | other


async def test_fault_in_a_file() -> None:
    initialization, segment = RIGHT.files["240p/init.mp4"], RIGHT.files["240p/video_00001.m4s"]

    async def found(**files: bytes | None) -> set[str]:
        paths = {"initialization": "240p/init.mp4", "segment": "240p/video_00001.m4s"}
        changed = {**RIGHT.files, **{paths[name]: body for name, body in files.items()}}
        return await violated({path: body for path, body in changed.items() if body is not None})

    other = await found(initialization=initialization.replace(b"avc1", b"hvc1"))
    assert other == {"apple-1.1", "millrace-codecs", "dash-codecs"}
    promised = initialization.replace(b"avcC\x01\x64\x00\x1e", b"avcC\x01\x64\x00\x28")
    assert promised != initialization and await found(initialization=promised) == {"millrace-codecs"}
    # What could not be read is missing in the manifest's count.
    assert await found(initialization=initialization[:100]) == {"millrace-parse", "dash-tracks"}
    assert await found(segment=None) == {"millrace-uri", "dash-tracks"}
    assert await found(segment=segment[:-1]) == {"millrace-parse", "dash-tracks"}
    assert await found(segment=segment + segment[-100:]) == {"millrace-parse", "dash-tracks"}
    assert await found(segment=segment + b"\0\0\0\x0cfree1234") >= {"millrace-bandwidth", "dash-bandwidth"}


async def test_what_lies_beside_has_to_be_there_and_to_be_readable() -> None:
    async def without(path: str) -> set[str]:
        return await violated({name: body for name, body in RIGHT.files.items() if name != path})

    assert await without("video.mpd") == {"millrace-dash"}
    for path in ("sprite/sprite.vtt", "sprite/sprite_image.jpg", "text/en/text.vtt", "text/fr/text_00001.vtt"):
        assert await without(path) == {"millrace-uri"}, path
    assert await violated({**RIGHT.files, "video.mpd": b"<MPD/>"}) == {"millrace-parse"}
    sheet = RIGHT.files["sprite/sprite_image.jpg"]
    assert await violated({**RIGHT.files, "sprite/sprite_image.jpg": sheet + bytes(100)}) == {"dash-tiles"}


@given(
    path=st.sampled_from(sorted(RIGHT.files)), place=st.floats(0, 1), data=st.binary(max_size=4), cut=st.integers(0, 8)
)
async def test_no_damage_is_too_much_for_it(path: str, place: float, data: bytes, cut: int) -> None:
    body = RIGHT.files[path]
    at = int(place * len(body))
    with suppress(NotAPlaylist):
        assert await violated({**RIGHT.files, path: body[:at] + data + body[at + cut :]}) <= {rule.id for rule in RULES}


def test_every_rule_has_a_fault_that_it_finds() -> None:
    planted = {fault.rule for fault in TEXT_FAULTS} | {one[0] for one in (*PICTURE_FAULTS, *TRACK_FAULTS, *BOX_FAULTS)}
    planted |= {"apple-1.1", "millrace-parse", "millrace-uri", "millrace-dash"}
    # Those of encryption have an encrypted presentation of their own.
    assert planted == {rule.id for rule in RULES} - {rule.id for rule in encryption.RULES}
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_what_the_uploader_knows_already_is_checked_by_the_same_table() -> None:
    written = write_presentation(Picture(gop=75))
    presentation, documents = written.presentation, written.documents
    assert check_presentation(presentation, documents).violated == ("apple-1.13",)
    longer = documents | {LOW: documents[LOW].replace(b"6.000000", b"6.500000")}
    assert "apple-8.1" in check_presentation(presentation, longer).violated
    fewer = {path: body for path, body in documents.items() if path != "480p/video.m3u8"}
    assert "millrace-uri" in check_presentation(presentation, fewer).violated
    broken = replace(presentation.audio[0], init_segment=b"no initialization segment", priming=0)
    broken_too = replace(presentation, audio=(broken, presentation.audio[1]))
    assert "millrace-parse" in check_presentation(broken_too, documents).violated
    elsewhere = documents | {LOW: documents[LOW].replace(b'URI="init', b'URI="../480p/init')}
    assert "millrace-parse" in check_presentation(presentation, elsewhere).violated


def test_a_job_carries_what_the_check_found() -> None:
    presentation, documents = RIGHT.presentation, RIGHT.documents
    found = check_compliance(presentation, documents)
    unread = sum(rule.needs_media for rule in RULES)
    assert (found.ok, found.checked, found.skipped) == (True, len(RULES) - unread, unread)
    assert found.violations == ()
    assert not_compliant(found) == ()
    found = check_compliance(presentation, documents | {LOW: documents[LOW].replace(b"6.000000", b"6.500000")})
    assert not found.ok
    violation, *_ = [one for one in found.violations if one.rule == "apple-8.1"]
    assert (violation.severity, violation.where) == ("must", "240p/video_00000.m4s")
    assert (violation.measured, violation.expected) == ("EXTINF: 6.5 s", "6 s")
    [warning] = not_compliant(found)
    assert "apple-8.1" in warning.message


def test_a_should_is_told_but_warned_of_by_nobody() -> None:
    written = write_presentation(Picture(gop=75))
    found = check_compliance(written.presentation, written.documents)
    assert found.ok and {one.rule for one in found.violations} == {"apple-1.13"}
    assert not_compliant(found) == ()


async def test_a_presentation_is_read_over_http(tmp_path: Path) -> None:
    RIGHT.into(tmp_path)
    app = web.Application()
    app.router.add_static("/", tmp_path)
    async with TestServer(app) as server:
        url = str(server.make_url("/video.m3u8"))
        assert apply_rules(await read_presentation(url)).violated == ()
        (tmp_path / "audio/de/init.mp4").unlink()
        found = {
            one.rule.id: one.findings for one in apply_rules(await read_presentation(url)).outcomes if one.findings
        }
        assert found.keys() == {"millrace-uri", "dash-tracks"}
        assert [one.where for one in found["millrace-uri"]] == ["audio/de/init.mp4"]
        with pytest.raises(Unreadable):
            await read_presentation(str(server.make_url("/none.m3u8")))


async def test_what_is_in_the_pictures_has_to_be_declared() -> None:
    written = write_presentation(high=replace(WIDE, captions=()))
    assert await violated(written.files) - {"dash-captions"} == {"millrace-captions"}


def test_exit_status_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RIGHT.into(tmp_path)
    playlist = tmp_path / "video.m3u8"
    assert main([str(playlist), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert {rule["id"] for rule in found["rules"]} == {rule.id for rule in RULES}
    playlist.write_text(playlist.read_text().replace("DEFAULT=YES", "DEFAULT=NO"))
    assert main([str(playlist)]) == 1
    assert "MUST   millrace-default" in capsys.readouterr().out
    assert main([str(tmp_path / "none.m3u8")]) == 2
    playlist.write_text("nothing")
    assert main([str(playlist)]) == 2

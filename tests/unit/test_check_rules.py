"""The checker: nothing is found in a right stream, and each planted fault by the rule that is there for it."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from checker.__main__ import main
from checker.rules import RULES, apply_rules
from checker.source import Unreadable, read_stream
from checker.sps import parse_sps
from services.uploader.compliance import check_compliance, check_presentation, not_compliant
from tests.support.written import Picture, TextFault, sps, violated, write_stream


async def test_nothing_is_found_in_a_right_stream(tmp_path: Path) -> None:
    stream, documents = write_stream(tmp_path)
    assert await violated(tmp_path) == set()
    report = check_presentation(stream, documents)
    assert report.violated == ()
    assert {one.rule.id for one in report.outcomes if one.skipped} == {
        "apple-7.3", "apple-6.10", "rfc8216bis-3.1.4", "millrace-text-cues", "millrace-captions",
    }  # fmt: skip


LOW, TRICK = "240p/video.m3u8", "240p/iframes.m3u8"
NO_SOUND = frozenset({"millrace-codecs"})
TEXT_FAULTS = [
    TextFault("apple-8.20", LOW, r"#EXT-X-MAP.*\n"),
    TextFault("millrace-same-header", TRICK, r'URI="init', 'URI="../480p/init'),
    TextFault("rfc8216bis-8", LOW, "VERSION:7", "VERSION:3"),
    TextFault("millrace-ended", LOW, "#EXT-X-ENDLIST"),
    TextFault("apple-8.6", LOW, "#EXT-X-PLAYLIST-TYPE:VOD"),
    TextFault("apple-9.12", "video.m3u8", "#EXT-X-INDEPENDENT-SEGMENTS"),
    TextFault("apple-6.1", "video.m3u8", "#EXT-X-I-FRAME-STREAM-INF.*"),
    TextFault("apple-6.8", TRICK, "#EXT-X-I-FRAMES-ONLY"),
    TextFault("apple-9.1", "video.m3u8", r'(STREAM-INF:BAND.*),CODECS="[^"]*"(.*AUDIO=)', r"\1\2"),
    TextFault("apple-9.2", "video.m3u8", r"RESOLUTION=\w+,(FRAME)", r"\1"),
    TextFault("apple-9.3", "video.m3u8", r'CODECS="avc1[^",]*",', ""),
    TextFault("apple-9.4", "video.m3u8", r"RESOLUTION=\w+,(VIDEO)", r"\1"),
    TextFault("rfc8216bis-4.4.6.2", "video.m3u8", r":BANDWIDTH=\d+,", ":"),
    TextFault("apple-9.14", "video.m3u8", r"AVERAGE-BANDWIDTH=\d+,"),
    TextFault("apple-9.15", "video.m3u8", r"FRAME-RATE=[^,]*,"),
    TextFault("apple-8.10", "video.m3u8", 'LANGUAGE="de",'),
    TextFault("apple-9.5", "video.m3u8", ',AUDIO="audio"', "", NO_SOUND),
    TextFault("millrace-group", "video.m3u8", ',AUDIO="audio"', ',AUDIO="other"', NO_SOUND),
    TextFault("rfc8216bis-4.4.6.1.1", "video.m3u8", 'NAME="DE"', 'NAME="EN"'),
    TextFault("millrace-default", "video.m3u8", "DEFAULT=YES", "DEFAULT=NO"),
    TextFault("apple-1.26", "video.m3u8", r"AVERAGE-BANDWIDTH=(\d+)", r"AVERAGE-BANDWIDTH=\g<1>0"),
    TextFault("apple-1.27", "video.m3u8", r":BANDWIDTH=(\d+)", r":BANDWIDTH=\g<1>0"),
    TextFault("millrace-codecs", "video.m3u8", "avc1.64001e,", "avc1.640028,"),
    TextFault("millrace-resolution", "video.m3u8", "=426x240", "=428x240"),
    TextFault("millrace-frame-rate", "video.m3u8", "RATE=25.000", "RATE=24.000"),
    TextFault("millrace-channels", "video.m3u8", 'CHANNELS="2"', 'CHANNELS="6"'),
    TextFault("apple-8.1", LOW, "EXTINF:6.000000", "EXTINF:5.990000"),
    TextFault("rfc8216bis-4.4.3.1", TRICK, "DURATION:2", "DURATION:1"),
    TextFault("apple-8.2", "audio/en/audio.m3u8", "DURATION:6", "DURATION:7", frozenset({"apple-7.5"})),
    TextFault("apple-7.7", LOW, "DURATION:6", "DURATION:5", frozenset({"apple-7.5", "apple-8.2", "rfc8216bis-4.4.3.1"})),
    TextFault("apple-6.10", TRICK, r"@24\b", "@32"),
    TextFault("rfc8216bis-4.4.6.1", "video.m3u8", ',INSTREAM-ID="CC1"', ',INSTREAM="CC1"', frozenset({"millrace-captions"})),
    TextFault("millrace-captions", "video.m3u8", 'INSTREAM-ID="CC1"', 'INSTREAM-ID="CC2"'),
    TextFault("millrace-text-boundaries", "text/fr/text.m3u8", "4.000000,", "3.990000,"),
    TextFault("rfc8216bis-3.1.4", "text/en/text_00001.vtt", "X-TIMESTAMP-MAP", "TIMESTAMP"),
    TextFault("millrace-text-cues", "text/en/text_00001.vtt", "MPEGTS:0", "MPEGTS:90000000"),
]  # fmt: skip


@pytest.mark.parametrize("fault", TEXT_FAULTS, ids=lambda fault: fault.rule)
async def test_fault_in_a_playlist(tmp_path: Path, fault: TextFault) -> None:
    write_stream(tmp_path)
    text = (tmp_path / fault.path).read_text()
    planted = re.sub(fault.pattern, fault.by, text)
    assert planted != text
    (tmp_path / fault.path).write_text(planted)
    assert await violated(tmp_path) == {fault.rule} | fault.also


PICTURE_FAULTS: list[tuple[str, Picture, set[str]]] = [
    ("apple-1.3", Picture(level=60), set()),
    ("apple-1.14", Picture(frames_only=False), set()),
    ("apple-1.19", Picture(frame_ticks=250, gop=200, segments=(600, 400), sample=(100, 100)), set()),
    ("millrace-colour", Picture(colour=(9, 16, 9)), set()),
    ("millrace-square", Picture(aspect=14), set()),
    ("apple-1.30", Picture(sample=(40, 4000)), set()),
    ("apple-1.13", Picture(gop=75), set()),
    ("apple-7.3", Picture(late=1000), {"apple-1.13"}),
    ("apple-7.4", Picture(first_nal=1), {"apple-1.13", "apple-6.10"}),
]


@pytest.mark.parametrize(
    ("rule", "low", "also"), PICTURE_FAULTS, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_fault_in_the_picture(tmp_path: Path, rule: str, low: Picture, also: set[str]) -> None:
    write_stream(tmp_path, low)
    assert await violated(tmp_path) == {rule} | also


STREAM_FAULTS: list[tuple[str, Callable[[Path], object]]] = [
    ("apple-1.33", lambda folder: write_stream(folder, high=Picture(width=480, height=480))),
    ("apple-8.22", lambda folder: write_stream(folder, Picture(segments=(100, 150)), Picture(width=854, height=480))),
    ("apple-8.7", lambda folder: write_stream(folder, cuts=(281, 180))),
    ("millrace-audio-boundaries", lambda folder: write_stream(folder, cuts=(240, 229))),
    ("apple-7.5", lambda folder: write_stream(folder, Picture(segments=(100, 100)), cuts=(188, 187))),
]


@pytest.mark.parametrize(("rule", "write"), STREAM_FAULTS, ids=lambda value: value if isinstance(value, str) else "")
async def test_fault_between_tracks(tmp_path: Path, rule: str, write: Callable[[Path], object]) -> None:
    write(tmp_path)
    assert await violated(tmp_path) == {rule}


async def test_fault_in_a_file(tmp_path: Path) -> None:
    write_stream(tmp_path)
    header = tmp_path / "240p" / "init.mp4"
    right = header.read_bytes()
    header.write_bytes(right.replace(b"avc1", b"hvc1"))
    assert await violated(tmp_path) == {"apple-1.1", "millrace-codecs"}
    header.write_bytes(right[:100])
    assert await violated(tmp_path) == {"millrace-parse"}
    header.write_bytes(right)
    (tmp_path / "240p" / "video_00001.m4s").unlink()
    assert await violated(tmp_path) == {"millrace-uri"}


def test_every_rule_has_a_fault_that_it_finds() -> None:
    planted = (
        {fault.rule for fault in TEXT_FAULTS} | {one[0] for one in PICTURE_FAULTS} | {one[0] for one in STREAM_FAULTS}
    )
    planted |= {"apple-1.1", "millrace-parse", "millrace-uri"}
    assert planted == {rule.id for rule in RULES}
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_what_the_uploader_knows_already_is_checked_by_the_same_table(tmp_path: Path) -> None:
    stream, documents = write_stream(tmp_path, Picture(gop=75))
    assert check_presentation(stream, documents).violated == ("apple-1.13",)
    longer = documents | {"240p/video.m3u8": documents["240p/video.m3u8"].replace("6.000000", "6.500000")}
    assert "apple-8.1" in check_presentation(stream, longer).violated
    fewer = {path: text for path, text in documents.items() if path != "480p/video.m3u8"}
    assert "millrace-uri" in check_presentation(stream, fewer).violated
    broken = replace(stream, audio=(replace(stream.audio[0], init_segment=b"no header"), stream.audio[1]))
    assert "millrace-parse" in check_presentation(broken, documents).violated


def test_a_job_carries_what_the_check_found(tmp_path: Path) -> None:
    stream, documents = write_stream(tmp_path)
    bodies = {path: text.encode() for path, text in documents.items()}
    found = check_compliance(stream, bodies)
    unread = sum(rule.needs_media for rule in RULES)
    assert (found.ok, found.checked, found.skipped) == (True, len(RULES) - unread, unread)
    assert found.violations == ()
    assert not_compliant(found) == ()
    longer = documents["240p/video.m3u8"].replace("6.000000", "6.500000").encode()
    found = check_compliance(stream, bodies | {"240p/video.m3u8": longer})
    assert not found.ok
    violation, *_ = [one for one in found.violations if one.rule == "apple-8.1"]
    assert (violation.severity, violation.where) == ("must", "240p/video_00000.m4s")
    assert (violation.measured, violation.expected) == ("EXTINF: 6.5 s", "6 s")
    [warning] = not_compliant(found)
    assert "apple-8.1" in warning.message


def test_a_should_is_told_but_warned_of_by_nobody(tmp_path: Path) -> None:
    stream, documents = write_stream(tmp_path, Picture(gop=75))
    found = check_compliance(stream, {path: text.encode() for path, text in documents.items()})
    assert found.ok and {one.rule for one in found.violations} == {"apple-1.13"}
    assert not_compliant(found) == ()


async def test_a_stream_is_read_over_http(tmp_path: Path) -> None:
    write_stream(tmp_path)
    app = web.Application()
    app.router.add_static("/", tmp_path)
    async with TestServer(app) as server:
        url = str(server.make_url("/video.m3u8"))
        assert apply_rules(await read_stream(url)).violated == ()
        (tmp_path / "audio/de/init.mp4").unlink()
        [outcome] = [one for one in apply_rules(await read_stream(url)).outcomes if one.findings]
        assert (outcome.rule.id, [one.where for one in outcome.findings]) == ("millrace-uri", ["audio/de/init.mp4"])
        with pytest.raises(Unreadable):
            await read_stream(str(server.make_url("/none.m3u8")))


MORE_TEXT_FAULTS = [
    TextFault("millrace-group", "video.m3u8", ',SUBTITLES="text"', ',SUBTITLES="texts"'),
    TextFault("millrace-group", "video.m3u8", ',SUBTITLES="text"'),
    TextFault("millrace-group", "video.m3u8", '="cc"\n', "=NONE\n", frozenset({"millrace-captions"})),
    TextFault("millrace-default", "video.m3u8", r"NAME=\"FR\"(.*)DEFAULT=NO", r'NAME="FR"\1DEFAULT=YES'),
    TextFault("apple-8.10", "video.m3u8", 'LANGUAGE="fr",'),
    TextFault("apple-8.7", "text/fr/text.m3u8", "4.000000,", "3.900000,", frozenset({"millrace-text-boundaries"})),
    TextFault("millrace-text-boundaries", "text/fr/text.m3u8", "DURATION:6", "DURATION:7"),
    TextFault("millrace-text-boundaries", "text/fr/text.m3u8", "#EXTINF:4.*\n.*\n", "", frozenset({"apple-8.7"})),
    TextFault("rfc8216bis-3.1.4", "text/fr/text_00000.vtt", "WEBVTT", "1"),
    TextFault("millrace-text-cues", "text/en/text_00000.vtt", "00:02.000", "00:01.000"),
    TextFault("millrace-text-cues", "text/en/text_00000.vtt", "00:01.000 --> 00:02.000", "00:07.000 --> 00:08.000"),
]  # fmt: skip


@pytest.mark.parametrize("fault", MORE_TEXT_FAULTS, ids=lambda fault: fault.rule)
async def test_fault_of_a_text(tmp_path: Path, fault: TextFault) -> None:
    await test_fault_in_a_playlist(tmp_path, fault)


async def test_what_is_in_the_pictures_has_to_be_declared(tmp_path: Path) -> None:
    write_stream(tmp_path, high=Picture(width=854, height=480, captions=()))
    assert await violated(tmp_path) == {"millrace-captions"}


async def test_text_has_to_be_there(tmp_path: Path) -> None:
    write_stream(tmp_path)
    (tmp_path / "text/fr/text_00001.vtt").unlink()
    assert await violated(tmp_path) == {"millrace-uri"}


def test_parameter_set() -> None:
    found = parse_sps(sps(Picture(width=854, height=480, aspect=14)))
    assert (found.width, found.height, found.codecs, found.aspect) == (854, 480, "avc1.64001e", Fraction(4, 3))
    assert found.frame_rate == Fraction(25)
    assert found.colour == (1, 1, 1)
    assert found.full_range is False
    with pytest.raises(ValueError, match="cut short"):
        parse_sps(sps(Picture())[:8])


def test_exit_status_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_stream(tmp_path)
    master = tmp_path / "video.m3u8"
    assert main([str(master), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert {rule["id"] for rule in told["rules"]} == {rule.id for rule in RULES}
    master.write_text(master.read_text().replace("DEFAULT=YES", "DEFAULT=NO"))
    assert main([str(master)]) == 1
    assert "MUST   millrace-default" in capsys.readouterr().out
    assert main([str(tmp_path / "none.m3u8")]) == 2
    master.write_text("nothing")
    assert main([str(master)]) == 2

"""The checker: nothing is found in a right stream, and each planted fault by the rule that is there for it."""

import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.uploader import playlists
from services.uploader.check.__main__ import main
from services.uploader.check.report import as_text
from services.uploader.check.rules import RULES, apply_rules
from services.uploader.check.source import Unreadable, read_stream
from services.uploader.check.sps import parse_sps
from services.uploader.check.subset import check_presentation
from services.uploader.compliance import check_compliance, not_compliant
from services.uploader.presentation import Presentation, Rendition, Sound, Subtitles
from shared.media.bmff import SEGMENT_TYPE, write_fragment
from shared.media.headers import codecs_of
from tests.support import boxes
from tests.support.captioned import pair, sei

SCALE = 25_000
VTT = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n"
CAPTION_UNIT = sei([(0, 0x14, 0x20), pair(1)])
CAPTION = len(CAPTION_UNIT).to_bytes(4) + CAPTION_UNIT


@dataclass(frozen=True)
class Picture:
    """What a rendition is made of."""

    width: int = 426
    height: int = 240
    level: int = 30
    frames_only: bool = True
    aspect: int = 1
    colour: tuple[int, int, int] = (1, 1, 1)
    frame_ticks: int = 1000
    gop: int = 50
    segments: tuple[int, ...] = (150, 100)
    sample: tuple[int, ...] = (400, 400)
    late: int = 0
    first_nal: int = 5
    captions: tuple[str, ...] = ("CC1",)


def sps(one: Picture) -> bytes:
    """A parameter set of High profile."""
    bits = ""

    def number(*values: int) -> str:
        return "".join(f"{value + 1:b}".zfill(2 * (value + 1).bit_length() - 1) for value in values)

    wide, high = -(-one.width // 16), -(-one.height // 16)
    bits += number(0, 1, 0, 0) + "00" + number(0, 2, 2) + "0"
    units = high if one.frames_only else -(-high // 2)
    full = 16 * units * (1 if one.frames_only else 2)
    bits += number(wide - 1, units - 1) + ("1" if one.frames_only else "00") + "1"
    step = 2 if one.frames_only else 4
    bits += "1" + number(0, (16 * wide - one.width) // 2, 0, (full - one.height) // step)
    bits += "1" + "1" + f"{one.aspect:08b}" + "0"
    bits += "1" + "101" + "0" + "1" + "".join(f"{value:08b}" for value in one.colour) + "0"
    bits += "1" + f"{one.frame_ticks:032b}" + f"{2 * SCALE:032b}" + "1" + "0000" + "1"
    bits += "0" * (-len(bits) % 8)
    body = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return bytes((0x67, 100, 0, one.level)) + re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", body)


def write_video(folder: Path, name: str, one: Picture) -> Rendition:
    """Write a rendition's header and segments."""
    header = boxes.header(boxes.video_entry(boxes.avc_config([sps(one)], [boxes.PPS])), timescale=SCALE)
    (folder / name).mkdir()
    (folder / name / "init.mp4").write_bytes(header)
    sizes, durations, marks, time = [], [], [], 0
    for number, frames in enumerate(one.segments):
        data, found = bytearray(SEGMENT_TYPE), []
        for start in range(0, frames, one.gop):
            count = min(one.gop, frames - start)
            size = one.sample[number]
            kind = one.first_nal if number and not start else 5
            units = [struct.pack(">IB", size - 4, 1 if frame else kind).ljust(size, b"x") for frame in range(count)]
            units[1] = CAPTION + units[1] if one.captions else units[1]
            decode_time = time + (one.late if number else 0)
            made = write_fragment(
                units, duration=one.frame_ticks, decode_time=decode_time, sequence=1, offsets=[0] * count
            )
            found.append((len(data), len(made) - sum(map(len, units[1:])), count * one.frame_ticks))
            data += made
            time += count * one.frame_ticks
        (folder / name / f"video_{number:05d}.m4s").write_bytes(data)
        sizes.append(len(data))
        durations.append(frames * one.frame_ticks)
        marks.append(tuple(found))
    return Rendition(
        kind="video", folder=name, codecs=codecs_of(header), timescale=SCALE, durations=tuple(durations),
        sizes=tuple(sizes), header=header, width=one.width, height=one.height,
        frame_rate=Fraction(SCALE, one.frame_ticks), iframes=tuple(marks),
        captions=one.captions,
    )  # fmt: skip


def write_audio(folder: Path, language: str, cuts: tuple[int, ...]) -> Sound:
    """Write an audio rendition of so many AAC frames a segment."""
    entry = bytearray(boxes.audio_entry())
    struct.pack_into(">HHHHI", entry, 8 + 16, 2, 16, 0, 0, 48_000 << 16)
    header = boxes.header(bytes(entry), timescale=48_000)
    place = folder / "audio" / language
    place.mkdir(parents=True)
    (place / "init.mp4").write_bytes(header)
    sizes, time = [], 0
    for number, count in enumerate(cuts):
        data = SEGMENT_TYPE + write_fragment([b"sound"] * count, duration=1024, decode_time=time, sequence=1)
        time += count * 1024
        (place / f"audio_{number:05d}.m4s").write_bytes(data)
        sizes.append(len(data))
    return Sound(
        kind="audio", folder=f"audio/{language}", codecs=codecs_of(header), timescale=48_000,
        durations=tuple(1024 * count for count in cuts), sizes=tuple(sizes), header=header,
        label=language.upper(), language=language, default=language == "en", channels=2, sample_rate=48_000,
    )  # fmt: skip


def write_text(folder: Path, language: str, durations: tuple[int, ...], *, empty: bool) -> Subtitles:
    """Write subtitles in two segments of so many ticks; without a cue, or with one in the first and one over the boundary."""
    place = folder / "text" / language
    place.mkdir(parents=True)
    cut = durations[0] // SCALE
    over = f"00:{cut - 1:02d}.000 --> 00:00:{cut + 1:02d}.500\nover\n"
    bodies = [VTT, VTT] if empty else [f"{VTT}\n00:01.000 --> 00:02.000\nx\n\n{over}", f"{VTT}\n{over}"]
    for number, body in enumerate(bodies):
        (place / f"text_{number:05d}.vtt").write_text(body)
    (place / "text.vtt").write_text("WEBVTT\n")
    return Subtitles(
        kind="text", folder=f"text/{language}", codecs="wvtt", timescale=SCALE, durations=durations,
        sizes=tuple(map(len, bodies)), header=b"", label=language.upper(), language=language,
        default=language == "en", forced=False, whole=7,
    )  # fmt: skip


def write_stream(
    folder: Path, low: Picture | None = None, high: Picture | None = None, cuts: tuple[int, ...] = (281, 188)
) -> tuple[Presentation, dict[str, str]]:
    """Ten seconds in two sizes, two languages, two texts; returns the presentation and the playlists by path."""
    pictures = {"240p": low or Picture(), "480p": high or replace(low or Picture(), width=854, height=480)}
    durations = tuple(count * pictures["480p"].frame_ticks for count in pictures["480p"].segments)
    texts = (write_text(folder, "en", durations, empty=False), write_text(folder, "fr", durations, empty=True))
    stream = Presentation(
        tuple(write_video(folder, name, one) for name, one in pictures.items()),
        (write_audio(folder, "en", cuts), write_audio(folder, "de", (281, 188) if cuts[0] == 281 else cuts)),
        texts,
    )
    documents = {"video.m3u8": playlists.master_playlist(stream)}
    documents |= {one.playlist: playlists.media_playlist(one, stream.target) for one in stream.tracks}
    documents |= {f"{one.folder}/iframes.m3u8": playlists.iframe_playlist(one) for one in stream.renditions}
    for path, text in documents.items():
        (folder / path).write_text(text)
    return stream, documents


async def violated(folder: Path) -> set[str]:
    report = apply_rules(await read_stream(str(folder / "video.m3u8")))
    assert as_text(report)
    return set(report.violated)


async def test_nothing_is_found_in_a_right_stream(tmp_path: Path) -> None:
    stream, documents = write_stream(tmp_path)
    assert await violated(tmp_path) == set()
    report = check_presentation(stream, documents)
    assert report.violated == ()
    assert {one.rule.id for one in report.outcomes if one.skipped} == {
        "apple-7.3", "apple-6.10", "rfc8216bis-3.1.4", "millrace-text-cues", "millrace-captions",
    }  # fmt: skip


@dataclass(frozen=True)
class TextFault:
    """A pattern that is replaced in a file; what else follows from it of necessity."""

    rule: str
    path: str
    pattern: str
    by: str = ""
    also: frozenset[str] = frozenset()


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
    broken = replace(stream, sounds=(replace(stream.sounds[0], header=b"no header"), stream.sounds[1]))
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

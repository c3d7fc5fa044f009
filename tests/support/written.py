"""Streams for the checker, written without any encoder: right ones, and such as have a fault of the kind that is told."""

import re
import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from checker.report import as_text
from checker.rules import apply_rules
from checker.source import read_stream
from services.uploader.manifest import playlists
from services.uploader.manifest.presentation import AudioRendition, Presentation, TextRendition, VideoRendition
from shared.mp4.bmff import SEGMENT_TYPE, write_fragment
from shared.mp4.initialization import codecs_of
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


def write_video(folder: Path, name: str, one: Picture) -> VideoRendition:
    """Write a rendition's initialization segment and segments."""
    init_segment = boxes.init_segment(boxes.video_entry(boxes.avc_config([sps(one)], [boxes.PPS])), timescale=SCALE)
    (folder / name).mkdir()
    (folder / name / "init.mp4").write_bytes(init_segment)
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
    return VideoRendition(
        kind="video", folder=name, codecs=codecs_of(init_segment), timescale=SCALE, durations=tuple(durations),
        sizes=tuple(sizes), init_segment=init_segment, resolution=name, codec="h264", width=one.width, height=one.height,
        frame_rate=Fraction(SCALE, one.frame_ticks), iframes=tuple(marks),
        captions=one.captions,
    )  # fmt: skip


def write_audio(folder: Path, language: str, cuts: tuple[int, ...]) -> AudioRendition:
    """Write an audio rendition of so many AAC frames a segment."""
    entry = bytearray(boxes.audio_entry())
    struct.pack_into(">HHHHI", entry, 8 + 16, 2, 16, 0, 0, 48_000 << 16)
    init_segment = boxes.init_segment(bytes(entry), timescale=48_000)
    place = folder / "audio" / language
    place.mkdir(parents=True)
    (place / "init.mp4").write_bytes(init_segment)
    sizes, time = [], 0
    for number, count in enumerate(cuts):
        data = SEGMENT_TYPE + write_fragment([b"sound"] * count, duration=1024, decode_time=time, sequence=1)
        time += count * 1024
        (place / f"audio_{number:05d}.m4s").write_bytes(data)
        sizes.append(len(data))
    return AudioRendition(
        kind="audio", folder=f"audio/{language}", codecs=codecs_of(init_segment), timescale=48_000,
        durations=tuple(1024 * count for count in cuts), sizes=tuple(sizes), init_segment=init_segment,
        label=language.upper(), language=language, default=language == "en", channels=2, sample_rate=48_000,
    )  # fmt: skip


def write_text(folder: Path, language: str, durations: tuple[int, ...], *, empty: bool) -> TextRendition:
    """Write subtitles in two segments of so many ticks; without a cue, or with one in the first and one over the boundary."""
    place = folder / "text" / language
    place.mkdir(parents=True)
    cut = durations[0] // SCALE
    over = f"00:{cut - 1:02d}.000 --> 00:00:{cut + 1:02d}.500\nover\n"
    bodies = [VTT, VTT] if empty else [f"{VTT}\n00:01.000 --> 00:02.000\nx\n\n{over}", f"{VTT}\n{over}"]
    for number, body in enumerate(bodies):
        (place / f"text_{number:05d}.vtt").write_text(body)
    (place / "text.vtt").write_text("WEBVTT\n")
    return TextRendition(
        kind="text", folder=f"text/{language}", codecs="wvtt", timescale=SCALE, durations=durations,
        sizes=tuple(map(len, bodies)), init_segment=b"", label=language.upper(), language=language,
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
    documents = {"video.m3u8": playlists.multivariant_playlist(stream)}
    documents |= {one.playlist: playlists.media_playlist(one, stream.target) for one in stream.all_renditions}
    documents |= {f"{one.folder}/iframes.m3u8": playlists.iframe_playlist(one) for one in stream.video}
    for path, text in documents.items():
        (folder / path).write_text(text)
    return stream, documents


def write_sound(folder: Path, cuts: tuple[int, ...] = (281, 188)) -> tuple[Presentation, dict[str, str]]:
    """Ten seconds of sound alone in two languages, the second one cut otherwise where told."""
    stream = Presentation((), (write_audio(folder, "en", (281, 188)), write_audio(folder, "de", cuts)))
    documents = {"video.m3u8": playlists.multivariant_playlist(stream)}
    documents |= {one.playlist: playlists.media_playlist(one, stream.target) for one in stream.all_renditions}
    for path, text in documents.items():
        (folder / path).write_text(text)
    return stream, documents


async def violated(folder: Path) -> set[str]:
    """Ids of the rules that the stream in a folder breaks."""
    report = apply_rules(await read_stream(str(folder / "video.m3u8")))
    assert as_text(report)
    return set(report.violated)


@dataclass(frozen=True)
class TextFault:
    """A pattern that is replaced in a file; what else follows from it of necessity."""

    rule: str
    path: str
    pattern: str
    by: str = ""
    also: frozenset[str] = frozenset()

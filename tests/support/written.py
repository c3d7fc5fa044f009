"""Presentations for the checker, made without any encoder: right ones, and such as have a fault of the kind that is told."""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from checker.playlist import ByteRange
from checker.reading import Reading
from checker.report import as_text
from checker.rules import apply_rules
from checker.source import Unreadable
from services.uploader.finish import init_segments, playlists
from services.uploader.manifest.playlists import multivariant_playlist
from services.uploader.manifest.presentation import AudioRendition, Presentation, TextRendition, VideoRendition
from services.uploader.manifest.sprite import sprite
from shared.encryption.boxes import sample_encryption
from shared.media.layout import MULTIVARIANT, SHEET
from shared.media.stills import Stills, StillSet
from shared.mp4.bmff import write_fragment
from shared.mp4.cmaf import cmaf_header, segment_type
from shared.mp4.edits import preroll_group, with_edit, with_preroll
from shared.mp4.initialization import codecs_of
from tests.support import boxes
from tests.support.captioned import pair, sei
from tests.support.encoded import TILE, still_body

SCALE = 25_000
VTT = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n"
CAPTION_UNIT = sei([(0, 0x14, 0x20), pair(1)])
CAPTION = len(CAPTION_UNIT).to_bytes(4) + CAPTION_UNIT
CUTS = (281, 188)


@dataclass(frozen=True)
class Picture:
    """What a rendition is made of: ``sample`` are the bytes of a frame in each segment, ``late`` ticks between the first two."""

    width: int = 426
    height: int = 240
    level: int = 30
    frames_only: bool = True
    aspect: int = 1
    colour: tuple[int, int, int] = (1, 1, 1)
    frame_ticks: int = 1000
    gop: int = 50
    segments: tuple[int, ...] = (150, 100)
    sample: tuple[int, ...] = (400, 520)
    late: int = 0
    first_nal: int = 5
    captions: tuple[str, ...] = ("CC1",)


@dataclass(frozen=True)
class Written:
    """A presentation as the uploader has it, and all of its files by path; ``documents`` are those that the uploader checks."""

    presentation: Presentation
    files: dict[str, bytes]
    documents: dict[str, bytes]

    def into(self, folder: Path) -> None:
        """Write the files below a folder."""
        for path, body in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(body)


def write_presentation(
    low: Picture | None = None, high: Picture | None = None, cuts: tuple[int, ...] = CUTS
) -> Written:
    """Ten seconds in two sizes, two languages, two texts, and pictures for the seek bar."""
    return with_documents(*write_parts(low, high, cuts))


def write_parts(
    low: Picture | None = None, high: Picture | None = None, cuts: tuple[int, ...] = CUTS, *, mapped: bool = False
) -> tuple[Presentation, dict[str, bytes], dict[str, bytes]]:
    """The same before there are any documents: presentation, segments, and pictures for the seek bar.

    Args:
        mapped: whether segments are laid out for encryption.
    """
    pictures = {"240p": low or Picture(), "480p": high or replace(low or Picture(), width=854, height=480)}
    ticks, counts = pictures["480p"].frame_ticks, pictures["480p"].segments
    durations, each = tuple(count * ticks for count in counts), 2 * SCALE // ticks
    files: dict[str, bytes] = {}
    tiles = TILE.model_copy(update={"frames": tuple(range(0, sum(counts), each))})
    stills = Stills(thumbnails=StillSet(frames=(), width=2, height=2), tiles=tiles, tile_frames=each, columns=3)
    presentation = Presentation(
        tuple(write_video(files, name, one, mapped=mapped) for name, one in pictures.items()),
        (
            write_audio(files, "en", cuts, mapped=mapped),
            write_audio(files, "de", CUTS if cuts[0] == CUTS[0] else cuts, mapped=mapped),
        ),
        (write_text(files, "en", durations, empty=False), write_text(files, "fr", durations, empty=True)),
        stills,
    )
    bodies = {number: still_body("tile", number) for number in tiles.numbers}
    return presentation, files, sprite(stills, sum(counts), Fraction(SCALE, ticks), bodies)


def write_audio_only(cuts: tuple[int, ...] = CUTS) -> Written:
    """Ten seconds of audio alone in two languages, the second one cut otherwise where told."""
    files: dict[str, bytes] = {}
    presentation = Presentation((), (write_audio(files, "en", CUTS), write_audio(files, "de", cuts)))
    return with_documents(presentation, files, {})


def with_documents(presentation: Presentation, files: Mapping[str, bytes], pictures: Mapping[str, bytes]) -> Written:
    """A presentation with all that the uploader writes at the end, given its segments and pictures for the seek bar."""
    texts = playlists(presentation, sheet_bytes=len(pictures.get(SHEET, b"")))
    documents = {**pictures, **texts, MULTIVARIANT: multivariant_playlist(presentation).encode()}
    return Written(presentation, {**files, **init_segments(presentation), **documents}, documents)


def write_video(files: dict[str, bytes], name: str, one: Picture, *, mapped: bool = False) -> VideoRendition:
    """Add a rendition's segments, laid out for encryption or not."""
    init_segment = cmaf_header(
        boxes.init_segment(boxes.video_entry(boxes.avc_config([sps(one)], [boxes.PPS])), timescale=SCALE)
    )
    sizes, durations, marks, time = [], [], [], 0
    for number, frames in enumerate(one.segments):
        data, found = bytearray(segment_type(last=number == len(one.segments) - 1)), []
        for start in range(0, frames, one.gop):
            count = min(one.gop, frames - start)
            size = one.sample[number]
            kind = one.first_nal if number and not start else 5
            units = [struct.pack(">IB", size - 4, 1 if frame else kind).ljust(size, b"x") for frame in range(count)]
            units[1] = CAPTION + units[1] if one.captions else units[1]
            decode_time = time + (one.late if number else 0)
            # Everything but length, header and three bytes of a slice.
            maps = [((len(unit) - size + 8, size - 8),) for unit in units]
            made = write_fragment(
                units, duration=one.frame_ticks, decode_time=decode_time, sequence=1, offsets=[0] * count,
                protection=partial(sample_encryption, maps) if mapped else no_protection,
            )  # fmt: skip
            found.append((len(data), len(made) - sum(map(len, units[1:])), count * one.frame_ticks))
            data += made
            time += count * one.frame_ticks
        files[f"{name}/video_{number:05d}.m4s"] = bytes(data)
        sizes.append(len(data))
        durations.append(frames * one.frame_ticks)
        marks.append(tuple(found))
    return VideoRendition(
        kind="video", folder=name, resolution=name, codec="h264", codecs=codecs_of(init_segment), timescale=SCALE, durations=tuple(durations),
        sizes=tuple(sizes), init_segment=init_segment, width=one.width, height=one.height,
        frame_rate=Fraction(SCALE, one.frame_ticks), iframes=tuple(marks),
        captions=one.captions,
    )  # fmt: skip


def write_audio(
    files: dict[str, bytes], language: str, cuts: tuple[int, ...], *, mapped: bool = False
) -> AudioRendition:
    """Add the segments of an audio rendition of so many AAC frames each, the first one's after the priming."""
    entry = bytearray(boxes.audio_entry())
    struct.pack_into(">HHHHI", entry, 8 + 16, 2, 16, 0, 0, 48_000 << 16)
    init_segment = cmaf_header(boxes.init_segment(bytes(entry), timescale=48_000))
    init_segment = with_preroll(with_edit(init_segment, 1024), 1)
    sizes, time, counts = [], 0, (1 + cuts[0], *cuts[1:])
    for number, count in enumerate(counts):
        data, groups = segment_type(last=number == len(cuts) - 1), preroll_group(count)
        data += write_fragment(
            [b"audio"] * count, duration=1024, decode_time=time, sequence=1, groups=groups,
            protection=partial(sample_encryption, [()] * count) if mapped else no_protection,
        )  # fmt: skip
        time += count * 1024
        files[f"audio/{language}/audio_{number:05d}.m4s"] = data
        sizes.append(len(data))
    return AudioRendition(
        kind="audio", folder=f"audio/{language}", codecs=codecs_of(init_segment), timescale=48_000,
        durations=tuple(1024 * count for count in counts), priming=1024, sizes=tuple(sizes), init_segment=init_segment,
        label=language.upper(), language=language, default=language == "en", channels=2, sample_rate=48_000,
    )  # fmt: skip


def no_protection(_offset: int) -> bytes:
    """Of segments that nobody will encrypt."""
    return b""


def write_text(files: dict[str, bytes], language: str, durations: tuple[int, ...], *, empty: bool) -> TextRendition:
    """Add subtitles in two segments of so many ticks; without a cue, or with one in the first and one over the boundary."""
    cut = durations[0] // SCALE
    over = f"\n00:{cut - 1:02d}.000 --> 00:00:{cut + 1:02d}.500\nover\n"
    first = "\n00:01.000 --> 00:02.000\nx 1\n"
    bodies = [VTT, VTT] if empty else [f"{VTT}{first}{over}", f"{VTT}{over}"]
    whole = "WEBVTT\n" if empty else f"WEBVTT\n{first}{over}"
    for number, body in enumerate(bodies):
        files[f"text/{language}/text_{number:05d}.vtt"] = body.encode()
    files[f"text/{language}/text.vtt"] = whole.encode()
    return TextRendition(
        kind="text", folder=f"text/{language}", codecs="wvtt", timescale=SCALE, durations=durations,
        sizes=tuple(map(len, bodies)), init_segment=b"", label=language.upper(), language=language,
        default=language == "en", forced=False, whole=len(whole),
    )  # fmt: skip


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


class Memory:
    """A source whose addresses are paths of files that lie nowhere."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    async def read(self, address: str, part: ByteRange | None = None) -> bytes:
        """Bytes of a file, or a part of them."""
        if address not in self._files:
            raise Unreadable("no such file")
        return self._files[address] if part is None else self._files[address][part[0] : sum(part)]


async def violated(files: Mapping[str, bytes]) -> set[str]:
    """Ids of the rules that a presentation breaks."""
    report = apply_rules(await Reading(Memory(files)).presentation(MULTIVARIANT))
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

    def planted(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """The files with the fault."""
        text = files[self.path].decode()
        faulty = re.sub(self.pattern, self.by, text)
        assert faulty != text
        return {**files, self.path: faulty.encode()}

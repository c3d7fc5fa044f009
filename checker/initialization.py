"""Reads an initialization segment (``init.mp4``): what a decoder is told of a track before its first segment. Pure."""

from dataclasses import dataclass, replace
from fractions import Fraction

from checker.aac import AudioConfig, read_elementary_stream
from checker.boxes import Box, MalformedMedia, boxes_of, first_of
from checker.protection import ENCRYPTED_ENTRIES, TrackProtection, read_protection
from checker.sps import Sps, parse_sps

AUDIO_FORMATS = frozenset({"mp4a", "ac-3", "ec-3", "ac-4", "alac", "fLaC", "Opus"})
"""Sample entries of audio; their names are also what their codecs texts begin with."""

# Bytes of fields in a sample entry before the boxes in it (ISO/IEC 14496-12, 12.1.3 and 12.2.3).
_VIDEO_FIELDS, _AUDIO_FIELDS = 78, 28
# Behind version and flags, and in a table behind its count.
_FULL, _TABLE = 4, 8


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """Duration (ticks), size (bytes) and flags of a sample for which nothing else says them."""

    duration: int = 0
    size: int = 0
    flags: int = 0


@dataclass(frozen=True, kw_only=True)
class InitializationSegment:
    """What an initialization segment says of its track.

    Attributes:
        format: type of the sample entry, such as ``avc1``.
        codecs: RFC 6381 text, made out of the parameter sets or the audio configuration; of other codecs the format alone.
        configured: the same as the summary in the ``avcC`` has it; None of other codecs.
        timescale: ticks per second.
        brands: compatible ones of the file. alternate_group: of the track.
        edit: seconds of the media that lie before the presentation.
        parameter_sets: the sequence parameter sets, of H.264 only. length_size: bytes of a NAL unit's length.
        protection: of an encrypted track, of which everything else is told as if it were none.
        audio: of AAC only. preroll: samples that have to be decoded before one in the (first) group of type ``roll``; None
            where there is no such group.
    """

    format: str
    codecs: str
    timescale: int
    edit: Fraction = Fraction(0)
    configured: str | None = None
    parameter_sets: tuple[Sps, ...] = ()
    length_size: int = 4
    audio: AudioConfig | None = None
    defaults: Defaults = Defaults()
    brands: tuple[str, ...] = ()
    alternate_group: int = 0
    preroll: int | None = None
    protection: TrackProtection | None = None

    @property
    def is_audio(self) -> bool:
        """Whether there is nothing to see."""
        return self.format in AUDIO_FORMATS


def read_initialization(data: bytes) -> InitializationSegment:
    """Read an initialization segment.

    Raises:
        MalformedMedia: it is none.
    """
    boxes = list(boxes_of(memoryview(data)))
    movie = first_of(boxes, "moov")
    track = movie.child("trak")
    media_header = track.child("mdia", "mdhd").fields()
    version, _ = media_header.version_and_flags()
    media_header.take(16 if version else 8)
    timescale = media_header.number(4)
    if not timescale:
        raise MalformedMedia("timescale of 0")
    entry = next(iter(track.child("mdia", "minf", "stbl", "stsd").children(_TABLE)), None)
    if entry is None:
        raise MalformedMedia("no sample entry")
    protection = None
    if entry.kind in ENCRYPTED_ENTRIES:
        original, protection = read_protection(entry, _VIDEO_FIELDS if entry.kind == "encv" else _AUDIO_FIELDS)
        entry = replace(entry, kind=original)
    found = InitializationSegment(
        format=entry.kind,
        codecs=entry.kind,
        timescale=timescale,
        edit=_edit(movie, track, timescale),
        defaults=_defaults(movie),
        brands=brands_of(boxes, "ftyp"),
        alternate_group=_alternate_group(track),
        preroll=_preroll(track),
        protection=protection,
    )
    try:
        if entry.kind in ("avc1", "avc3"):
            return _with_video(found, entry)
        if entry.kind == "mp4a":
            config = read_elementary_stream(entry.child("esds", skip=_AUDIO_FIELDS))
            return replace(found, codecs=config.codecs, audio=config)
    except ValueError as error:
        raise MalformedMedia(str(error)) from error
    return found


def _with_video(found: InitializationSegment, entry: Box) -> InitializationSegment:
    """The same with what ``avcC`` tells of H.264 (ISO/IEC 14496-15, 5.3.3.1.2)."""
    config = entry.child("avcC", skip=_VIDEO_FIELDS).fields()
    config.take(1)
    summary = bytes(config.take(3))
    length_size = (config.number(1) & 3) + 1
    sets = tuple(parse_sps(bytes(config.take(config.number(2)))) for _ in range(config.number(1) & 0x1F))
    if not sets:
        raise MalformedMedia("no parameter sets")
    return replace(
        found,
        codecs=f"{entry.kind}.{_joint(sets).hex()}",
        configured=f"{entry.kind}.{summary.hex()}",
        parameter_sets=sets,
        length_size=length_size,
    )


def _joint(sets: tuple[Sps, ...]) -> bytes:
    """Profile, constraints and level that hold for all parameter sets."""
    constraints = 0xFF
    for one in sets:
        constraints &= one.constraints
    return bytes((max(one.profile for one in sets), constraints, max(one.level for one in sets)))


def brands_of(boxes: list[Box], kind: str) -> tuple[str, ...]:
    """Compatible brands in the first box if that is of a kind (``ftyp``, ``styp``), else none."""
    if not boxes or boxes[0].kind != kind:
        return ()
    fields = boxes[0].fields()
    fields.take(8)
    return tuple(bytes(fields.take(4)).decode("latin-1") for _ in range(fields.left // 4))


def _alternate_group(track: Box) -> int:
    fields = track.child("tkhd").fields()
    version, _ = fields.version_and_flags()
    fields.take((32 if version else 20) + 8 + 2)
    return fields.number(2)


def _preroll(track: Box) -> int | None:
    """The distance in the first description of a group of type ``roll``, which counts backwards (ISO/IEC 14496-12, 10.1)."""
    for box in track.child("mdia", "minf", "stbl").children():
        if box.kind == "sgpd":
            fields = box.fields()
            version, _ = fields.version_and_flags()
            if bytes(fields.take(4)) == b"roll" and version:
                # Behind the length of a description and their number.
                fields.take(8)
                return -fields.signed(2)
    return None


def _defaults(movie: Box) -> Defaults:
    fields = movie.child("mvex", "trex").fields()
    fields.take(_FULL + 8)
    return Defaults(duration=fields.number(4), size=fields.number(4), flags=fields.number(4))


def _edit(movie: Box, track: Box, timescale: int) -> Fraction:
    """What the edit list leaves out at the beginning, less what it inserts there."""
    if not any(box.kind == "edts" for box in track.children()):
        return Fraction(0)
    fields = track.child("edts", "elst").fields()
    version, _ = fields.version_and_flags()
    width, inserted = (8 if version else 4), 0
    for _ in range(fields.number(4)):
        duration, media_time = fields.number(width), fields.signed(width)
        fields.take(4)
        if media_time >= 0:
            empty = Fraction(inserted, _movie_timescale(movie)) if inserted else Fraction(0)
            return Fraction(media_time, timescale) - empty
        inserted += duration
    return Fraction(0)


def _movie_timescale(movie: Box) -> int:
    fields = movie.child("mvhd").fields()
    version, _ = fields.version_and_flags()
    fields.take(16 if version else 8)
    return fields.number(4) or 1

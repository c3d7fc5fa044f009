"""What came out: of one part, and of a whole job."""

from hashlib import sha256
from typing import Literal

from pydantic import AliasChoices, Base64Bytes, BaseModel, ConfigDict, Field

from shared.media.layout import WHOLE_TEXT, kind_of, segment_name
from shared.media.stills import Still

Layout = Literal["clear", "cbcs"]
"""What the segments of a part are laid out for: to be uploaded as they are (or encrypted as a whole), or to have their samples
encrypted by ``cbcs``, for which they say which bytes of their samples those are."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class JobWarning(_Model):
    """Something that the customer should know about a job that goes on all the same."""

    code: str
    message: str


class SegmentTable(_Model):
    """The segments of one rendition that one part has made; the files lie in the part's folder as ``<folder>/<file>``.

    Attributes:
        folder: below the part's folder and below the output prefix alike, such as ``480p`` or ``audio/0-en``.
        timescale: ticks per second of ``durations``.
        first_segment: number of its first segment.
        durations: ticks of each segment. sizes: bytes of each segment.
        priming: for audio, ticks at the beginning of the first segment that are decoded and not heard; 0 in records of
            versions that left the priming out.
        frames: samples in all segments together: video frames, AAC frames, or cues.
        init: the initialization segment (``init.mp4``), base64 in JSON, empty for text; those of all parts of a rendition
            are merged, and are the same bytes where one kind of encoder made them all.
        codecs: RFC 6381 text, read out of the initialization segment.
        whole: bytes of the file that holds all of a text rendition besides its segments (``text.vtt``); 0 for others.
        captions: for video, the channels of closed captions that carry something, in HLS's names (``CC1``, ``SERVICE1``).
        iframes: for video, for each segment the list of (offset, length in bytes, ticks until the next) of its IDR frames.
    """

    folder: str
    timescale: int
    first_segment: int
    durations: tuple[int, ...]
    sizes: tuple[int, ...]
    frames: int
    init: Base64Bytes
    codecs: str
    iframes: tuple[tuple[tuple[int, int, int], ...], ...] = ()
    whole: int = 0
    captions: tuple[str, ...] = ()
    priming: int = 0

    @property
    def totals(self) -> "RenditionTotals":
        """The same without what grows with the length of the part."""
        return RenditionTotals(
            folder=self.folder,
            codecs=self.codecs,
            segments=len(self.sizes),
            frames=self.frames,
            seconds=round((sum(self.durations) - self.priming) / self.timescale, 3),
            bytes=sum(self.sizes) + self.whole,
        )


class RenditionTotals(_Model):
    """What one part has made of one rendition, in numbers that do not grow with its length.

    Attributes:
        folder: below the output prefix. codecs: RFC 6381 text. bytes: of all its files.
        frames: video frames, AAC frames, or cues.
    """

    folder: str
    codecs: str
    segments: int
    frames: int
    seconds: float
    bytes: int


class PartRecord(_Model):
    """What a finished part consists of: ``record.json`` in its folder of the work space.

    It grows with the length of the part, so it is a file and not an event; the event carries its digest.

    Attributes:
        tables: empty where a track of text could not be read, which the job does without.
        encoder: what made it (``libx264``, ``h264_nvenc``, ``aac``, ``webvtt``). seconds: wall time of the encode.
        stills: taken out of the same decode.
        recipe: that of the job (:class:`shared.events.Fetched`). tools: SHA-256 (hex) of the programs and the code that made it.
            Both are empty in records of versions that knew no inheritance.
        layout: of its segments of video and audio.
    """

    # Version 0.1 called the tables tracks.
    tables: tuple[SegmentTable, ...] = Field(validation_alias=AliasChoices("tables", "tracks"))
    encoder: str
    seconds: float
    warnings: tuple[JobWarning, ...] = ()
    stills: tuple[Still, ...] = ()
    recipe: str = ""
    tools: str = ""
    layout: Layout = "clear"

    @property
    def objects(self) -> dict[str, int]:
        """Bytes of everything that goes to the bucket with the part, by path.

        Rendition by rendition its segments in order of time, after those of a text the file with all of it; then the thumbnails.
        """
        sizes: dict[str, int] = {}
        for table in self.tables:
            kind = kind_of(table.folder)
            for number, size in enumerate(table.sizes, start=table.first_segment):
                sizes[f"{table.folder}/{segment_name(kind, number)}"] = size
            if table.whole:
                sizes[f"{table.folder}/{WHOLE_TEXT}"] = table.whole
        return sizes | {still.path: still.size for still in self.stills if still.kind == "thumbnail"}

    @property
    def totals(self) -> tuple[RenditionTotals, ...]:
        """Of each table."""
        return tuple(table.totals for table in self.tables)


def digest_of(record: str) -> str:
    """The digest of a part's record (JSON text), by which an event names it: SHA-256 in hex."""
    return sha256(record.encode()).hexdigest()


class RenditionOutput(_Model):
    """A rendition as GET and webhooks show it. Rates are bits per second, of the video alone; sizes are bytes."""

    resolution: str
    width: int
    height: int
    frame_rate: float
    average_bitrate: int
    peak_bitrate: int
    codecs: str
    bytes: int
    playlist: str


class AudioOutput(_Model):
    """An audio rendition. Rates are bits per second."""

    name: str
    language: str | None
    codecs: str
    average_bitrate: int
    peak_bitrate: int
    bytes: int
    playlist: str


class SubtitleOutput(_Model):
    """A rendition of subtitles, as WebVTT. Sizes are bytes."""

    name: str
    language: str | None
    forced: bool
    bytes: int
    playlist: str


class Violation(_Model):
    """A place where a rule of the compliance check does not hold: what was measured there, and what the rule expects."""

    rule: str
    severity: Literal["must", "should"]
    text: str
    where: str
    measured: str
    expected: str


class Compliance(_Model):
    """What the compliance check found before the job was completed.

    Attributes:
        ok: no MUST is violated.
        checked: rules that were applied. skipped: rules that need every byte of every segment; ``python -m
            checker`` applies those, too.
        violations: the first places of each rule that does not hold.
    """

    ok: bool
    checked: int
    skipped: int
    violations: tuple[Violation, ...] = ()


class SpriteOutput(_Model):
    """The pictures for the seek bar: one sheet, and WebVTT cues that say which piece of it belongs to which time."""

    image: str
    vtt: str


class Outputs(_Model):
    """Where a completed job's output is. Locations are ``s3://bucket/key`` without credentials.

    ``dash`` is None where the output is encrypted as DASH players do not know it. ``compliance`` is None only in the log of a
    version that did not check.
    """

    master: str
    dash: str | None
    renditions: tuple[RenditionOutput, ...]
    audio: tuple[AudioOutput, ...]
    bytes: int
    segments: int
    subtitles: tuple[SubtitleOutput, ...] = ()
    compliance: Compliance | None = None
    thumbnails: tuple[str, ...] = ()
    sprite: SpriteOutput | None = None
